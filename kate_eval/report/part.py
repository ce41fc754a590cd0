"""A part of a run's samples: its score, the baseline's on the same entries, and the paired difference."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from kate_eval.report.benchmarks import by_share
from kate_eval.report.runs import Run, SampleRow, by_entry
from kate_eval.stats import Estimate, Observed, paired_difference, weighted_mean


@dataclass(frozen=True)
class Part:
    """What some of a run's samples scored: plain means over them.

    Attributes:
        score: of the samples that were scored; None without any.
        baseline: of the entries that the baseline scored too; None without any.
        difference: score minus baseline on the entries that both have; None without any.
    """

    score: Estimate | None
    baseline: Estimate | None
    difference: Estimate | None


def part(samples: Sequence[SampleRow], baseline: Run | None) -> Part:
    """The part that these samples are.

    Args:
        samples: of one run.
        baseline: the run to compare with.
    """
    first = by_entry(samples)
    theirs = baseline.by_entry if baseline else {}
    second = {entry: observed for entry, observed in theirs.items() if entry in first}
    return Part(
        score=_mean([sample.observed for sample in samples if sample.observed is not None]),
        baseline=_mean(list(second.values())),
        difference=paired_difference(first, second, _shares(list(second.values()))) if second else None,
    )


def _mean(observed: Sequence[Observed]) -> Estimate | None:
    return weighted_mean(observed, _shares(observed)) if observed else None


def _shares(observed: Sequence[Observed]) -> dict[str, float]:
    return by_share(Counter(item.group for item in observed))
