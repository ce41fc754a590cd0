"""The simulated model as critic: it can only pick among the candidates it was shown.

A request is a critic's if its text asks for JSON with a plan and shows candidates as JSON objects with
"calls" or "reply" (the method's published interface). An object with a "plan" is the format asked for.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageTool, ChatMessageUser
from inspect_ai.tool import ToolCall

from kate_eval.bfcl.categories import Mode
from kate_eval.endpoints.policy import step_seed
from kate_eval.endpoints.profiles import Profile
from kate_eval.endpoints.request import (
    TOOL_RESULTS,
    Situation,
    calls_in,
    current_turn,
    decoded_calls,
    progress,
)
from kate_eval.endpoints.script import Script
from kate_eval.episode import Call
from kate_eval.errors import EndpointError

MAX_RETRIES_SEEN = 3
"""A retry adds two messages (the bad answer and a reminder) after the candidates' message."""
_DECODER = json.JSONDecoder()
_SPEAKER = re.compile(r"^(system|user|assistant|tool): ?", re.MULTILINE)
_CRITIC = re.compile(r'"(?:calls|reply)"')
_CALL_START = re.compile(r"(?<![\w.])([A-Za-z_][\w.]*)\(")
MALFORMED = '{"plan": "This simulated critic breaks off", "calls": ['


@dataclass(frozen=True)
class Candidate:
    """One candidate as shown: its calls as JSON objects, and its reply."""

    calls: tuple[dict[str, Any], ...]
    reply: str

    @property
    def keys(self) -> list[str]:
        """Canonical texts of the calls."""
        return [Call(call["name"], call["arguments"]).key for call in self.calls]


@dataclass(frozen=True)
class CriticRequest:
    """What a critic is asked: where the candidates' message is, and what it shows."""

    at: int
    text: str
    candidates: tuple[Candidate, ...]


def critic_request(messages: Sequence[ChatMessage]) -> CriticRequest | None:
    """The critic's request in these messages, if there is one; it may be followed by retries."""
    recent = messages[-1 - 2 * MAX_RETRIES_SEEN :]
    for back, message in enumerate(reversed(recent), start=1):
        text = message.text
        if message.role == "tool" or text.startswith(TOOL_RESULTS):
            return None
        if message.role == "user" and _CRITIC.search(text) and "plan" in text and "json" in text.lower():
            found = [candidate for _, _, value in _objects(text) for candidate in _candidates(value)]
            if found:
                return CriticRequest(len(messages) - back, text, tuple(found))
    return None


def _objects(text: str) -> Iterator[tuple[int, int, Any]]:
    """The outermost JSON objects in a text: start, end, value."""
    at = text.find("{")
    while at >= 0:
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield at, end, value
        at = text.find("{", end)


def _candidates(value: Any) -> Iterator[Candidate]:
    if isinstance(value, list):
        for item in value:
            yield from _candidates(item)
    if not isinstance(value, dict) or "plan" in value:
        return
    calls, reply = value.get("calls") or [], value.get("reply") or ""
    if ("calls" in value or "reply" in value) and isinstance(reply, str) and _are_calls(calls):
        yield Candidate(tuple(calls), reply)
    else:
        for item in value.values():
            yield from _candidates(item)


def _are_calls(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(call, dict)
        and isinstance(call.get("name"), str)
        and isinstance(call.get("arguments"), dict)
        for call in value
    )


def verdict(
    request: CriticRequest,
    script: Script,
    mode: Mode,
    messages: Sequence[ChatMessage],
    profile: Profile,
    seed: str,
) -> str:
    """The critic's answer: JSON with a plan and one shown candidate's calls or reply, or broken JSON.

    Args:
        request: the critic's request in the messages.
        script: the entry's script.
        mode: the format of calls in the conversation.
        messages: the whole request.
        profile: the rates.
        seed: of the sample, epoch and attempt.

    Raises:
        EndpointError: the conversation holds none of the entry's questions.
    """
    situation = _situation(request, script, mode, messages)
    state = progress(script.gold[situation.turn], situation.made)
    # Perspectives differ in their prompts, retries in the number of messages: each is its own draw.
    prompts = "\n".join(message.text for message in messages if message.role == "system") + request.text
    digest = hashlib.sha256(prompts.encode()).hexdigest()
    rng = Random(f"{step_seed(seed, situation, state)}|critic|{digest}|{len(messages)}")
    knows, malformed = rng.random() < profile.critic_skill, rng.random() < profile.critic_malformed
    if malformed:
        return MALFORMED
    right = [c for c in request.candidates if _is_right(c, script, state.remaining)] if knows else []
    chosen = right[0] if right else rng.choice(request.candidates)
    plan = "The simulated critic goes on with " + (chosen.calls[0]["name"] if chosen.calls else "a reply")
    return json.dumps({"plan": plan, "calls": list(chosen.calls), "reply": chosen.reply})


def _is_right(candidate: Candidate, script: Script, remaining: Sequence[Call]) -> bool:
    keys, gold = candidate.keys, [call.key for call in remaining]
    if script.entry.category == "live_relevance":
        return bool(keys)
    if not script.entry.multi_turn:
        return sorted(keys) == sorted(gold)
    return keys == gold[: len(keys)] and bool(keys) == bool(gold)


def _situation(
    request: CriticRequest, script: Script, mode: Mode, messages: Sequence[ChatMessage]
) -> Situation:
    """Where the conversation stands: replayed before the candidates, or pasted beside them."""
    before = messages[: request.at]
    turn, at = current_turn(script, before)
    if turn < 0:
        before, mode = _pasted(request.text, script), "fc"
        turn, at = current_turn(script, before)
    if turn < 0:
        raise EndpointError(f"The simulated critic finds no question of {script.entry.id} in the request.")
    return Situation(script, turn, calls_in(script, mode, before[at + 1 :]))


def _pasted(text: str, script: Script) -> list[ChatMessage]:
    """The messages of a conversation pasted as lines "user: ...", "assistant: ...", "tool: ..."."""
    for start, end, value in reversed(list(_objects(text))):
        if any(True for _ in _candidates(value)):
            text = text[:start] + text[end:]
    parts = _SPEAKER.split(text)
    return [_message(role, said, script) for role, said in zip(parts[1::2], parts[2::2], strict=True)]


def _message(role: str, text: str, script: Script) -> ChatMessage:
    if role == "assistant":
        calls = [
            ToolCall(id=f"pasted_{index}", function=call.name, arguments=call.arguments)
            for index, call in enumerate(_written_calls(text, script))
        ]
        return ChatMessageAssistant(content=text, tool_calls=calls)
    # A system part can't hold the question as the user's, nor can a tool's result.
    return ChatMessageUser(content=text) if role == "user" else ChatMessageTool(content=text)


def _written_calls(text: str, script: Script) -> Iterator[Call]:
    """The calls of documented functions in a text, as `name(x=1)` or JSON, in order."""
    end = 0
    for match in _CALL_START.finditer(text):
        if match.start() >= end and match[1] in script.docs:
            for close in re.finditer(r"\)", text[match.end() :]):
                end = match.end() + close.end()
                calls = decoded_calls(text[match.start() : end], script.entry.category)
                if calls:
                    yield calls[0]
                    break
    for _, _, value in _objects(text):
        if isinstance(value, dict) and value.get("name") in script.docs:
            yield Call(value["name"], value.get("arguments") or {})
