"""The simulated model as BFCL's critic: which of the shown candidates is right."""

import re
from collections.abc import Iterator, Sequence

from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageTool, ChatMessageUser
from inspect_ai.tool import ToolCall

from kate_eval.bfcl.categories import Mode
from kate_eval.endpoints.bfcl.policy import step_seed
from kate_eval.endpoints.bfcl.request import (
    Situation,
    calls_in,
    current_turn,
    decoded_calls,
    progress,
)
from kate_eval.endpoints.bfcl.script import Script
from kate_eval.endpoints.candidates import Candidate, CriticRequest, objects, pasted, pick
from kate_eval.endpoints.profiles import Profile
from kate_eval.episode import Call
from kate_eval.errors import EndpointError

_CALL_START = re.compile(r"(?<![\w.])([A-Za-z_][\w.]*)\(")


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

    def is_right(candidate: Candidate) -> bool:
        return _is_right(candidate, script, state.remaining)

    return pick(request, messages, is_right, profile, step_seed(seed, situation, state))


def _is_right(candidate: Candidate, script: Script, remaining: Sequence[Call]) -> bool:
    keys = [Call(call["name"], call["arguments"]).key for call in candidate.calls]
    gold = [call.key for call in remaining]
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
        before, mode = [_message(role, said, script) for role, said in pasted(request.text)], "fc"
        turn, at = current_turn(script, before)
    if turn < 0:
        raise EndpointError(f"The simulated critic finds no question of {script.entry.id} in the request.")
    return Situation(script, turn, calls_in(script, mode, before[at + 1 :]))


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
    for _, _, value in objects(text):
        if isinstance(value, dict) and value.get("name") in script.docs:
            yield Call(value["name"], value.get("arguments") or {})
