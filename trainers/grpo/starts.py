"""The rows that begin rollouts, and those left out, with the reasons."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kate_eval.errors import TrainingError
from kate_eval.trainers.grpo.parameters import Shown
from kate_eval.trainers.rewards import Level
from kate_eval.trainers.rollout import Bounds, Rendering
from kate_eval.trainers.rollout.start import FollowUps, Json, unfit
from kate_eval.trainers.row import Row


@dataclass(frozen=True)
class Starts:
    """Rows to begin from.

    Attributes:
        rows: that begin rollouts.
        left_out: reason -> how many rows.
        prompt_tokens: of the longest prompt.
        follow_ups: row id -> what the user says in later turns, for rollouts of whole episodes.
    """

    rows: list[Row]
    left_out: Mapping[str, int]
    prompt_tokens: int
    follow_ups: Mapping[str, FollowUps]

    def __str__(self) -> str:
        reasons = "; ".join(f"{count}: {reason}" for reason, count in self.left_out.items())
        left_out = f"; left out {sum(self.left_out.values())} ({reasons})" if self.left_out else ""
        return f"{len(self.rows)} rows, prompts of up to {self.prompt_tokens} tokens{left_out}"

    def described(self) -> dict[str, Any]:
        """For the card."""
        return {"rows": len(self.rows), "left_out": dict(self.left_out), "prompt_tokens": self.prompt_tokens}


def choose_starts(
    rows: Sequence[Row], level: Level, shown: Shown, rendering: Rendering, bounds: Bounds
) -> Starts:
    """The rows that can begin rollouts of a level and leave room for an answer."""
    kept: list[Row] = []
    left_out: Counter[str] = Counter()
    longest = 0
    for row in rows:
        reason = unfit(row, level) or _unwanted(row, shown)
        if reason is None:
            tokens = len(rendering.prompt_ids(row.messages, row.tools))
            if tokens + bounds.answer_tokens > bounds.context_tokens:
                reason = f"no room for an answer of {bounds.answer_tokens} in {bounds.context_tokens} tokens"
            else:
                longest = max(longest, tokens)
        if reason is None:
            kept.append(row)
        else:
            left_out[reason] += 1
    told = _later_turns(rows) if level == "episode" else {}
    return Starts(kept, left_out, longest, {row.id: told.get(_told_by(row), {}) for row in kept if told})


def require_starts(starts: Starts, level: Level) -> None:
    """Check that there are any.

    Raises:
        TrainingError: there are none.
    """
    if not starts.rows:
        raise TrainingError(
            f"No row can begin a rollout of one {level}: {starts}. Choose another --reward or --knowledge, a "
            "larger --context-tokens, or other rows"
        )


def _unwanted(row: Row, shown: Shown) -> str | None:
    if shown == "any" or bool(row.knowledge) == (shown == "with"):
        return None
    return "it shows no knowledge" if shown == "with" else "it shows knowledge"


def _told_by(row: Row) -> tuple[str, ...]:
    """What the rows of one conversation share: the entry, and the augmentation or the run."""
    return (row.entry, *row.id.removeprefix(row.entry).strip("/").split("/")[3:])


def _later_turns(rows: Sequence[Row]) -> dict[tuple[str, ...], dict[int, list[Json]]]:
    """What users say in turns after the first, as the rows of these turns have it."""
    told: dict[tuple[str, ...], dict[int, list[Json]]] = {}
    for row in rows:
        if row.turn and not row.step and row.kind == "step":
            told.setdefault(_told_by(row), {})[row.turn] = _last_said(row)
    return told


def _last_said(row: Row) -> list[Json]:
    """The messages after the last answer, or its results."""
    last = max((n for n, m in enumerate(row.messages) if m["role"] in ("assistant", "tool")), default=-1)
    return list(row.messages[last + 1 :])
