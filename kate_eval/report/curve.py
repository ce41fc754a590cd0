"""The learning curve of an online run: its score over the order in which it learned from its samples."""

from dataclasses import dataclass

from kate_eval.report.leaderboard import Result
from kate_eval.report.part import Part, part

PARTS = 10
FEWEST = 2
"""Samples that a part has at least."""


@dataclass(frozen=True)
class Point:
    """One part of the order.

    Attributes:
        first: its first position.
        last: its last.
        here: the samples of this part.
        so_far: all samples up to its end.
    """

    first: int
    last: int
    here: Part
    so_far: Part


def curve(result: Result) -> list[Point]:
    """The run by tenths of its order, by fewer and larger parts where it has under 20 samples.

    Returns:
        [] for a run whose samples have no position: it did not learn from them.
    """
    ordered = sorted(
        ((s.position, s) for s in result.run.samples if s.position is not None), key=lambda pair: pair[0]
    )
    count = min(PARTS, max(1, len(ordered) // FEWEST)) if ordered else 0
    ends = [round(len(ordered) * number / count) for number in range(1, count + 1)]
    samples = [sample for _, sample in ordered]
    return [
        Point(
            first=ordered[start][0],
            last=ordered[end - 1][0],
            here=part(samples[start:end], result.baseline),
            so_far=part(samples[:end], result.baseline),
        )
        for start, end in zip([0, *ends], ends, strict=False)
    ]
