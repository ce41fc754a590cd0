"""Where the names of a Pareto front's points fit into a plot.

Up and to the left of a front there is no point, so names go there; those of points near the left edge go to
the right. A name that would lie on another one is left out: the tooltip and the numbers have it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kate_eval.report.document import Axis, Plot

LONGEST = 28
"""Characters of a name; a longer one is cut."""
_CHARACTER, _LINE = 0.012, 0.05
"""Of a name: share of the plot's width a character, share of its height."""


@dataclass(frozen=True)
class Label:
    """A name in a plot, to the upper left or the upper right of its point."""

    x: float
    y: float
    text: str
    left: bool


def placed(plot: Plot) -> list[Label]:
    """The names of the front's points that have room, from the best down."""
    points = [point for series in plot.series for point in series.points]
    across = _shares([float(point.x) for point in points], plot.x)
    ends = [end for point in points for end in (point.low, point.high, point.y) if end is not None]
    low, high = min(ends), max(ends)
    common = shared_words([printable(point.label) for point in points])
    taken: list[tuple[float, float, float]] = []
    found = []
    for point, at in sorted(zip(points, across, strict=True), key=lambda pair: -pair[0].y):
        if not point.front:
            continue
        text = _cut(printable(point.label).removeprefix(common))
        width = len(text) * _CHARACTER
        start = at - width if at > width else at
        height = (point.y - low) / ((high - low) or 1.0)
        if all(start > e or start + width < s or abs(height - h) > _LINE for s, e, h in taken):
            taken.append((start, start + width, height))
            found.append(Label(float(point.x), point.y, text, left=at > width))
    return found


def printable(text: str) -> str:
    """The text with a space for what can't be seen: control characters, line ends, changes of direction."""
    return "".join(character if character.isprintable() else " " for character in text)


def shared_words(names: Sequence[str]) -> str:
    """What all names begin with, such as the one model of a plot; each keeps at least a word after it."""
    words = [name.split(" ") for name in names]
    count = 0
    while len(words) > 1 and all(len(w) > count + 1 and w[count] == words[0][count] for w in words):
        count += 1
    return "".join(f"{word} " for word in words[0][:count]) if words else ""


def _shares(values: Sequence[float], axis: Axis) -> list[float]:
    """Where each value lies between the least and the largest, in [0, 1]."""
    scaled = [math.log(value) for value in values] if axis.log else list(values)
    low, high = min(scaled), max(scaled)
    return [(value - low) / ((high - low) or 1.0) for value in scaled]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
