"""Candidates: what a model proposes for one step."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inspect_ai.model import ChatMessageAssistant, ContentReasoning

from kate_eval.episode import Action, Call, Episode, plain
from kate_eval.recovery import recover


@dataclass(frozen=True)
class Candidate:
    """One proposed action with the reasoning that came with it."""

    action: Action
    reasoning: str
    key: str
    """Equal for candidates that do the same: all replies have "", undecodable ones "!"."""
    recovered: str | None = None
    """What its calls were found by, if they were read from raw text (kate_eval.recovery)."""

    def describe(self) -> dict[str, Any]:
        """The candidate as JSON data, as critics and the transcript see it."""
        if self.action.calls:
            return {"calls": shown_calls(self.action.calls)}
        return {"reply": self.action.message.text}


def shown_calls(calls: Sequence[Call]) -> list[dict[str, Any]]:
    """Calls as JSON data."""
    return [{"name": call.name, "arguments": plain(call.arguments)} for call in calls]


def make_candidate(
    message: ChatMessageAssistant,
    episode: Episode,
    one_call: bool,
    recover_calls: bool = False,
    place: int = 0,
) -> Candidate:
    """Decode a model's message into a candidate.

    Args:
        message: the model's own.
        episode: decodes it.
        one_call: in multi-turn entries, only the first call counts.
        recover_calls: where tools are offered, read calls that the server left in the text.
        place: of the message in the conversation.
    """
    found = recover(message, episode.tools, episode.tool_name, place) if recover_calls else None
    message = found.message if found else message
    action = episode.decode(message)
    if one_call and episode.one_call:
        action = episode.first_call(action)
    reasoning = "\n".join(filter(None, (reasoning_of(message), action.thought)))
    key = vote_key(action, ordered=episode.one_call)
    return Candidate(action, reasoning, key, found.mark if found else None)


def vote_key(action: Action, ordered: bool) -> str:
    """What candidates are compared by: the calls; in single-turn entries as a set."""
    if action.error is not None:
        return "!"
    keys = [call.key for call in action.calls]
    return "\n".join(keys if ordered else sorted(keys))


def reasoning_of(message: ChatMessageAssistant) -> str:
    """The reasoning of a message, and the text that came with its calls."""
    parts: list[str] = []
    if not isinstance(message.content, str):
        parts += [part.reasoning for part in message.content if isinstance(part, ContentReasoning)]
    if message.tool_calls and message.text:
        parts.append(message.text)
    return "\n".join(part.strip() for part in parts if part.strip())


def tally(candidates: Sequence[Candidate]) -> list[tuple[Candidate, int]]:
    """Distinct candidates with their votes, most votes first, ties in order of appearance.

    Undecodable candidates have no vote, unless all are undecodable.
    """
    voting = [c for c in candidates if c.action.error is None] or list(candidates)
    votes = Counter(c.key for c in voting)
    first: dict[str, Candidate] = {}
    for candidate in voting:
        first.setdefault(candidate.key, candidate)
    return sorted(((c, votes[key]) for key, c in first.items()), key=lambda pair: -pair[1])


def as_json(value: Any) -> str:
    """Compact JSON for prompts; what JSON can't express is shown by its repr."""
    return json.dumps(value, ensure_ascii=False, default=repr)
