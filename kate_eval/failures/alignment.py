"""A turn's gold calls and the model's, side by side: which belong together, and what sets them apart.

The cheapest way to turn the model's calls into the gold's, in the manner of an edit distance: equal calls
cost nothing, calls of one function the less the more of their arguments agree. What a mistake *is* is
decided elsewhere, by replaying the turn with some of these edits made (replay.py).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kate_eval.episode import Call

_ALONE = 1.0
"""Cost of a call without a counterpart."""
_OTHER = 1.9
"""Cost of a call in place of another function's: a little less than one missing and one too many."""


@dataclass(frozen=True)
class Made:
    """A call that the model made: in which answer of the turn, from 0."""

    call: Call
    step: int


@dataclass(frozen=True)
class Slot:
    """One place of the aligned turn: a call that both sides made, or one of one side.

    Attributes:
        gold: the gold call that belongs here; None for a call of the model's alone.
        made: the model's; None where it is missing.
    """

    gold: Call | None
    made: Made | None

    @property
    def equal(self) -> bool:
        """Whether both sides made the call."""
        return self.gold is not None and self.made is not None


def align(gold: Sequence[Call], made: Sequence[Made]) -> list[Slot]:
    """The turn as slots: read down, the gold parts are the gold's calls and the made parts the model's.

    Calls that stand for one another but differ are neighbours, the model's first.
    """
    keys = [call.key for call in gold], [item.call.key for item in made]

    def cost(i: int, j: int) -> float:
        if keys[0][i] == keys[1][j]:
            return 0.0
        return 0.1 + unlike(gold[i], made[j].call) if gold[i].name == made[j].call.name else _OTHER

    slots: list[Slot] = []
    for i, j in _pairs(len(gold), len(made), cost):
        sides = gold[i] if i is not None else None, made[j] if j is not None else None
        if i is not None and j is not None and keys[0][i] == keys[1][j]:
            slots.append(Slot(*sides))
        else:
            slots += [Slot(None, side) for side in sides[1:] if side]
            slots += [Slot(side, None) for side in sides[:1] if side]
    return slots


def unlike(gold: Call, made: Call) -> float:
    """The share of two calls' arguments that differ, in [0, 1]."""
    names = gold.arguments.keys() | made.arguments.keys()
    return len(differing(gold, made)) / len(names) if names else 0.0


def differing(gold: Call, made: Call) -> list[str]:
    """Names of the arguments in which two calls differ."""
    return [
        name
        for name in dict.fromkeys([*gold.arguments, *made.arguments])
        if name not in gold.arguments
        or name not in made.arguments
        or Call("", {"": gold.arguments[name]}).key != Call("", {"": made.arguments[name]}).key
    ]


def mixed(gold: Call, made: Call, name: str) -> Call:
    """The gold call with one argument as the model has it."""
    arguments = {key: value for key, value in gold.arguments.items() if key != name}
    return Call(gold.name, arguments | ({name: made.arguments[name]} if name in made.arguments else {}))


def _pairs(
    rows: int, columns: int, cost: Callable[[int, int], float]
) -> Iterator[tuple[int | None, int | None]]:
    """The cheapest monotone alignment of two sequences, as index pairs in order."""
    best = [[_ALONE * (columns - j) for j in range(columns + 1)]]
    matched: list[list[float]] = []
    for i in reversed(range(rows)):
        below, line, diagonal = best[-1], [0.0] * columns + [_ALONE * (rows - i)], [0.0] * columns
        for j in reversed(range(columns)):
            diagonal[j] = below[j + 1] + cost(i, j)
            line[j] = min(diagonal[j], below[j] + _ALONE, line[j + 1] + _ALONE)
        best.append(line)
        matched.append(diagonal)
    best.reverse()
    matched.reverse()
    i = j = 0
    while i < rows or j < columns:
        if i < rows and j < columns and best[i][j] == matched[i][j]:
            yield i, j
            i, j = i + 1, j + 1
        elif j < columns and best[i][j] == best[i][j + 1] + _ALONE:
            yield None, j
            j += 1
        else:
            yield i, None
            i += 1
