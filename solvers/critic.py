"""A critic: one request that judges candidates and answers with the step to take, as JSON.

Source: KATE, section 3.3 (arXiv 2606.10875). The answer is read as data and checked: its calls must name
tools offered now. An answer that can't be used is asked again with the reason, up to 3 tries in all.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
)
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from kate_eval.episode import Action, Call, Episode
from kate_eval.solvers.candidate import Candidate, as_json, shown_calls, vote_key
from kate_eval.solvers.context import Context
from kate_eval.solvers.parameters import Parameters, prompt

TRIES = 3
MAX_ANSWER = 200_000


class _Lenient(BaseModel):
    """Takes null for a field that is left out, as models write it."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, value: Any) -> Any:
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


class ProposedCall(_Lenient):
    """A call in a critic's answer."""

    name: str
    arguments: dict[str, Any] = {}


class Answer(_Lenient):
    """A critic's answer."""

    plan: str = ""
    calls: list[ProposedCall] = []
    reply: str = ""


@dataclass(frozen=True)
class Review:
    """What came of asking a critic; no action where no try gave a usable answer."""

    focus: str
    action: Action | None
    plan: str = ""
    failures: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """The review as JSON data for the transcript."""
        chosen = None
        if self.action is not None:
            calls = shown_calls(self.action.calls)
            chosen = {"calls": calls} if calls else {"reply": self.action.message.text}
        return {"focus": self.focus, "plan": self.plan, "chosen": chosen, "failures": list(self.failures)}


async def review(candidates: Sequence[Candidate], context: Context, focus: str) -> Review:
    """Ask a critic with the given focus (solvers/prompts/focus_*.txt) to choose the step."""
    messages = _request(candidates, context, focus)
    failures: list[str] = []
    for attempt in range(TRIES):
        config = GenerateConfig(temperature=0.0)
        output = await context.ask(messages, [], config, role="critic", variant=attempt)
        context.counters.extra_requests += 1
        message = output.choices[0].message
        try:
            answer = read_answer(message.text)
            return Review(focus, _action(answer, candidates, context), answer.plan, tuple(failures))
        except ValueError as ex:
            context.counters.parse_failures += 1
            failures.append(str(ex))
            retry = prompt("critic_retry").substitute(reason=str(ex))
            shown = ChatMessageAssistant(content=message.text[:MAX_ANSWER] or "(nothing)")
            messages = [*messages, shown, ChatMessageUser(content=retry)]
    return Review(focus, None, failures=tuple(failures))


def read_answer(text: str) -> Answer:
    """The first JSON object in the text that is an answer.

    Raises:
        ValueError: there is none; the message says why.
    """
    decoder = json.JSONDecoder()
    text = text[:MAX_ANSWER]
    reason = "it holds no JSON object"
    start = text.find("{")
    for _ in range(20):
        if start < 0:
            break
        try:
            value, _ = decoder.raw_decode(text, start)
            if isinstance(value, dict) and {"calls", "reply"} & set(value):
                return Answer.model_validate(value)
            reason = 'the JSON object has neither "calls" nor "reply"'
        except ValidationError as ex:
            first = ex.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from ex
        except (ValueError, RecursionError):
            reason = "its JSON is malformed"
        start = text.find("{", start + 1)
    raise ValueError(reason)


def _action(answer: Answer, candidates: Sequence[Candidate], context: Context) -> Action:
    """The answer as an action: a candidate's own where it equals one."""
    episode = context.episode
    calls = [Call(call.name, call.arguments) for call in answer.calls]
    if context.parameters.one_call and episode.one_call:
        calls = calls[:1]
    offered = {tool["name"] for tool in described_tools(episode)}
    for call in calls:
        if call.name not in offered:
            raise ValueError(f"{call.name[:80]!r} is not among the tools")
    if not calls and not answer.reply.strip():
        raise ValueError("it has neither calls nor a reply")
    action = episode.encode(calls, answer.reply)
    key = vote_key(action, ordered=episode.one_call)
    return next((c.action for c in candidates if c.key == key and calls), action)


def _request(candidates: Sequence[Candidate], context: Context, focus: str) -> list[ChatMessage]:
    pasted = context.parameters.layout != "multi-turn"  # else the request is fitted as it is sent
    conversation = context.window.fit(context.conversation) if pasted else context.conversation
    one_call = context.episode.one_call and context.parameters.one_call
    return critic_request(
        candidates, conversation, described_tools(context.episode), context.parameters, one_call, focus
    )


def critic_request(
    candidates: Sequence[Candidate],
    conversation: Sequence[ChatMessage],
    tools: Sequence[dict[str, Any]],
    parameters: Parameters,
    one_call: bool,
    focus: str = "general",
) -> list[ChatMessage]:
    """What a critic is asked; no tools are offered with it.

    Args:
        candidates: distinct, in the order in which they are shown.
        conversation: up to the step that is judged.
        tools: that the step may use (`described_tools`).
        parameters: of the solver: layout and show_reasoning.
        one_call: whether the step is exactly one call.
        focus: name of a solvers/prompts/focus_*.txt.
    """
    request = prompt("critic").substitute(
        focus=prompt(f"focus_{focus}").template,
        tools=as_json(tools),
        candidates="\n".join(
            _shown(candidate, number, parameters.show_reasoning)
            for number, candidate in enumerate(candidates, start=1)
        ),
        limit="One step is exactly one call." if one_call else "One step may hold several calls.",
    )
    if parameters.layout == "multi-turn":
        return [*conversation, ChatMessageUser(content=request)]
    pasted = "\n".join(_line(message) for message in conversation)
    text = prompt("critic_pasted").substitute(conversation=pasted, request=request)
    return [ChatMessageUser(content=text)]


def described_tools(episode: Episode) -> list[dict[str, Any]]:
    """The tools offered now as a critic reads them, named as the policy is offered them."""
    names = [tool.name for tool in episode.tools] or [doc["name"] for doc in episode.docs]
    return [
        {"name": name, "description": doc["description"], "parameters": doc["parameters"]}
        for name, doc in zip(names, episode.docs, strict=True)
    ]


def _shown(candidate: Candidate, number: int, reasoning: bool) -> str:
    text = f"{number}. {as_json(candidate.describe())}"
    if reasoning and candidate.reasoning:
        text += f"\n   Reasoning: {candidate.reasoning}"
    return text


def _line(message: ChatMessage) -> str:
    if isinstance(message, ChatMessageTool):
        return f"tool: {message.text}"
    if isinstance(message, ChatMessageSystem):
        return f"system: {message.text}"
    calls = ""
    if isinstance(message, ChatMessageAssistant) and message.tool_calls:
        calls = "; ".join(Call(c.function, c.arguments).text for c in message.tool_calls)
    return f"{message.role}: {' '.join(filter(None, (message.text, calls)))}"
