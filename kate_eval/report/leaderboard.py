"""What was found of each run: scores with intervals, cost, and the paired difference to its baseline."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from kate_eval.report.baseline import BASELINE, baselines
from kate_eval.report.beside import beside_flags
from kate_eval.report.cost import Cost, Prices, cost_of
from kate_eval.report.document import Flag
from kate_eval.report.flags import baseline_flags, flags_of
from kate_eval.report.runs import Run
from kate_eval.stats import Estimate, paired_difference, weighted_mean


@dataclass(frozen=True)
class Result:
    """What was found of a run.

    Attributes:
        run: the run.
        headline: name of the score that ranks and compares: the broadest complete aggregate.
        scores: aggregate or category -> estimate.
        valid_gold: the headline without entries whose gold is broken.
        baseline: the run that it is compared with; None without one.
        difference: headline minus the baseline's, on the entries that both have.
        means: counter -> mean per sample.
        errors: samples that were not scored.
        cost: tokens, seconds and dollars.
        flags: what makes the run not like for like.
    """

    run: Run
    headline: str
    scores: Mapping[str, Estimate]
    valid_gold: Estimate | None
    baseline: Run | None
    difference: Estimate | None
    means: Mapping[str, float]
    errors: int
    cost: Cost
    flags: tuple[Flag, ...] = field(default_factory=tuple)

    @property
    def score(self) -> Estimate | None:
        """The headline's estimate."""
        return self.scores.get(self.headline)


def leaderboard(runs: Sequence[Run], prices: Prices | None = None, baseline: str = BASELINE) -> list[Result]:
    """What was found of all runs, in the order given.

    Args:
        runs: the runs.
        prices: of models; by default those that the logs note.
        baseline: a solver, or the name, label or id of one run, that the others are compared with.

    Raises:
        ConfigurationError: no run is this baseline, and it is not the default.
    """
    chosen, beside = baselines(runs, baseline), beside_flags(runs)
    return [_result(run, chosen, beside[run.id], prices or {}) for run in runs]


def _result(run: Run, chosen: Mapping[str, Run | None], beside: Sequence[Flag], prices: Prices) -> Result:
    baseline = chosen.get(run.id)
    observed = [sample.observed for sample in run.samples if sample.observed is not None]
    headline, weights = run.benchmark.headline(observed) if observed else ("no scores", {})
    scores = run.benchmark.scores(observed) if observed else {}
    if observed:
        scores |= {headline: weighted_mean(observed, weights)}
    means = _means(run)
    return Result(
        run=run,
        headline=headline,
        scores=scores,
        valid_gold=_without_broken(run),
        baseline=baseline,
        difference=_difference(run, baseline) if observed else None,
        means=means,
        errors=run.errors,
        cost=cost_of(run, prices),
        flags=(
            *flags_of(run, means, scores.get(headline)),
            *(baseline_flags(run, baseline) if observed and run.id in chosen else ()),
            *beside,
        ),
    )


def _without_broken(run: Run) -> Estimate | None:
    kept = [s.observed for s in run.samples if s.observed is not None and not s.broken_gold]
    return weighted_mean(kept, run.benchmark.headline(kept)[1]) if kept else None


def _difference(run: Run, baseline: Run | None) -> Estimate | None:
    if baseline is None:
        return None
    first, second = run.by_entry, baseline.by_entry
    shared = [first[entry] for entry in first if entry in second]
    return paired_difference(first, second, run.benchmark.headline(shared)[1])


def _means(run: Run) -> dict[str, float]:
    names = {name for sample in run.samples for name in sample.counters}
    means: dict[str, float] = {}
    for name in names:
        values = [s.counters[name] for s in run.samples if not math.isnan(s.counters.get(name, math.nan))]
        if values:
            means[name] = fmean(values)
    played = [s.details["interactions"] for s in run.samples if s.details.get("interactions") is not None]
    if played:
        means["interactions"] = fmean(played)
    if run.samples:
        means["tokens"] = fmean(sample.tokens for sample in run.samples)
    return means
