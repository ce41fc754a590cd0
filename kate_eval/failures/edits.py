"""Edits: what sets a turn's calls apart from the gold's, each of which can be undone in a replay."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Literal

from kate_eval.episode import Call
from kate_eval.failures.alignment import Made, Slot, differing
from kate_eval.failures.replay import Changes, Place

Difference = Literal["argument", "order", "other", "missing", "extra"]
"""Of one function with other arguments; made at another place; another function; not made; too many."""


@dataclass(frozen=True)
class Edit:
    """One difference of a turn.

    Attributes:
        difference: its kind.
        place: where the gold call belongs, or (a call too many) where the model's is.
        gold: the gold call; None for a call too many.
        made: the model's; None for a missing one.
        made_at: where the model's is; None for a missing one.
    """

    difference: Difference
    place: Place
    gold: Call | None
    made: Made | None
    made_at: Place | None

    @property
    def turn(self) -> int:
        """The turn it is in."""
        return self.place.turn

    @property
    def position(self) -> int:
        """Where it begins in its turn."""
        return min(self.place.at, self.made_at.at if self.made_at else self.place.at)


_Lone = tuple[Place, Call]
_Tried = tuple[Place, Made]
_Match = Callable[[_Lone, _Tried], bool]


def edits_of(turn: int, slots: Sequence[Slot]) -> list[Edit]:
    """The edits of a turn, in order: calls of both sides that stand for one another are one edit."""
    places = [(Place(turn, at), slot) for at, slot in enumerate(slots) if not slot.equal]
    missing = [(place, slot.gold) for place, slot in places if slot.gold]
    tried = [(place, slot.made) for place, slot in places if slot.made]
    gaps = list(accumulate(slot.equal for slot in slots))

    def same_gap(lone: _Lone, other: _Tried) -> bool:
        return gaps[lone[0].at] == gaps[other[0].at]

    rules: list[tuple[Difference, _Match]] = [
        ("order", lambda lone, other: lone[1].key == other[1].call.key),
        ("argument", lambda lone, other: lone[1].name == other[1].call.name),
        ("other", same_gap),
    ]
    found: list[Edit] = []
    for difference, match in rules:
        for lone in list(missing):
            alike = [other for other in tried if match(lone, other)]
            if alike:
                nearest = min(alike, key=partial(_distance, lone))
                missing.remove(lone)
                tried.remove(nearest)
                found.append(Edit(difference, lone[0], lone[1], nearest[1], nearest[0]))
    found += [Edit("missing", place, gold, None, None) for place, gold in missing]
    found += [Edit("extra", place, None, made, place) for place, made in tried]
    return sorted(found, key=lambda edit: edit.position)


def _distance(lone: _Lone, other: _Tried) -> tuple[int, int]:
    return len(differing(lone[1], other[1].call)), abs(lone[0].at - other[0].at)


def undone(edits: Iterable[Edit]) -> Changes:
    """The changes that make the gold's calls where these edits are, and not the model's."""
    changes: dict[Place, Sequence[Call]] = {}
    for edit in edits:
        if edit.made_at is not None:
            changes[edit.made_at] = ()
        if edit.gold is not None:
            changes[edit.place] = (edit.gold,)
    return changes
