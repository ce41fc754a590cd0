"""What a critic is shown and how the simulated critic picks: never anything but a shown candidate.

A request is a critic's if its text asks for JSON with a plan and shows candidates as JSON objects with
"calls" or "reply" (the method's published interface). An object with a "plan" is the format asked for.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from inspect_ai.model import ChatMessage

from kate_eval.endpoints.profiles import Profile

MAX_RETRIES_SEEN = 3
"""A retry adds two messages (the bad answer and a reminder) after the candidates' message."""
_DECODER = json.JSONDecoder()
_SPEAKER = re.compile(r"^(system|user|assistant|tool): ?", re.MULTILINE)
_CRITIC = re.compile(r'"(?:calls|reply)"')
MALFORMED = '{"plan": "This simulated critic breaks off", "calls": ['


@dataclass(frozen=True)
class Candidate:
    """One candidate as shown: its calls as JSON objects, and its reply."""

    calls: tuple[dict[str, Any], ...]
    reply: str


@dataclass(frozen=True)
class CriticRequest:
    """What a critic is asked: where the candidates' message is, and what it shows."""

    at: int
    text: str
    candidates: tuple[Candidate, ...]


def critic_request(messages: Sequence[ChatMessage], results: str) -> CriticRequest | None:
    """The critic's request in these messages, if there is one; it may be followed by retries.

    Args:
        messages: a whole request.
        results: how a user message that holds results of calls begins.
    """
    recent = messages[-1 - 2 * MAX_RETRIES_SEEN :]
    for back, message in enumerate(reversed(recent), start=1):
        text = message.text
        if message.role == "tool" or text.startswith(results):
            return None
        if message.role == "user" and _CRITIC.search(text) and "plan" in text and "json" in text.lower():
            found = [candidate for _, _, value in objects(text) for candidate in _candidates(value)]
            if found:
                return CriticRequest(len(messages) - back, text, tuple(found))
    return None


def pick(
    request: CriticRequest,
    messages: Sequence[ChatMessage],
    is_right: Callable[[Candidate], bool],
    profile: Profile,
    seed: str,
) -> str:
    """The critic's answer: JSON with a plan and one shown candidate's calls or reply, or broken JSON.

    Args:
        request: the critic's request in the messages.
        messages: the whole request.
        is_right: whether a candidate is the right step.
        profile: the rates.
        seed: of the step.
    """
    # Perspectives differ in their prompts, retries in the number of messages: each is its own draw.
    prompts = "\n".join(message.text for message in messages if message.role == "system") + request.text
    digest = hashlib.sha256(prompts.encode()).hexdigest()
    rng = Random(f"{seed}|critic|{digest}|{len(messages)}")
    knows, malformed = rng.random() < profile.critic_skill, rng.random() < profile.critic_malformed
    if malformed:
        return MALFORMED
    right = [candidate for candidate in request.candidates if is_right(candidate)] if knows else []
    chosen = right[0] if right else rng.choice(request.candidates)
    plan = "The simulated critic goes on with " + (chosen.calls[0]["name"] if chosen.calls else "a reply")
    return json.dumps({"plan": plan, "calls": list(chosen.calls), "reply": chosen.reply})


def pasted(text: str) -> list[tuple[str, str]]:
    """Role and text of a conversation pasted as lines "user: ...", "assistant: ...", without candidates."""
    for start, end, value in reversed(list(objects(text))):
        if any(True for _ in _candidates(value)):
            text = text[:start] + text[end:]
    parts = _SPEAKER.split(text)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def objects(text: str) -> Iterator[tuple[int, int, Any]]:
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
