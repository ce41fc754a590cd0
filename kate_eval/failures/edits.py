"""Edits: what sets a turn's calls apart from the gold's, each of which can be undone in a replay."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
        places: the slots it is about; the first is where the gold call belongs, if there is one.
        gold: the gold call; None for a call too many.
        made: the model's; None for a missing one.
    """

    difference: Difference
    places: tuple[Place, ...]
    gold: Call | None
    made: Made | None

    @property
    def turn(self) -> int:
        """The turn it is in."""
        return self.places[0].turn

    @property
    def position(self) -> tuple[int, int]:
        """Where it stands among the others."""
        first = min(self.places, key=lambda place: place.at)
        return first.turn, first.at


def edits_of(turn: int, slots: Sequence[Slot]) -> list[Edit]:
    """The edits of a turn, in order.

    A gold call and a call of the same function that stand apart are one edit.
    """
    found: list[Edit] = []
    lone: list[tuple[Place, Made]] = []
    missing: list[tuple[Place, Call]] = []
    for at, slot in enumerate(slots):
        place = Place(turn, at)
        if slot.equal:
            continue
        if slot.gold is None and slot.made is not None:
            lone.append((place, slot.made))
        elif slot.gold is not None and slot.made is None:
            missing.append((place, slot.gold))
        elif slot.gold is not None and slot.made is not None:
            same = slot.gold.name == slot.made.call.name
            found.append(Edit("argument" if same else "other", (place,), slot.gold, slot.made))
    found += _apart(missing, lone)
    return sorted(found, key=lambda edit: edit.position)


def _apart(missing: list[tuple[Place, Call]], lone: list[tuple[Place, Made]]) -> list[Edit]:
    """Edits of the slots that have one side only."""
    found = []
    left = list(lone)
    for place, gold in missing:
        alike = [item for item in left if item[1].call.name == gold.name]
        if alike:
            nearest = min(
                alike, key=lambda item: (len(differing(gold, item[1].call)), abs(item[0].at - place.at))
            )
            left.remove(nearest)
            difference: Difference = "order" if nearest[1].call.key == gold.key else "argument"
            found.append(Edit(difference, (place, nearest[0]), gold, nearest[1]))
        else:
            found.append(Edit("missing", (place,), gold, None))
    return found + [Edit("extra", (place,), None, made) for place, made in left]


def _distance(place: Place, gold: Call, lone: tuple[Place, Made]) -> tuple[int, int]:
    at, made = lone
    return len(differing(gold, made.call)), abs(at.at - place.at)


def undone(edits: Iterable[Edit]) -> Changes:
    """The changes that put the gold's calls where these edits are."""
    changes: dict[Place, Sequence[Call]] = {}
    for edit in edits:
        changes |= dict.fromkeys(edit.places, ())
        if edit.gold is not None:
            changes[edit.places[0]] = (edit.gold,)
    return changes
