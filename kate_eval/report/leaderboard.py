"""Rows of the leaderboard: scores with intervals, cost, and paired differences to the baseline."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

from kate_eval.appworld.scorer import LAYERS
from kate_eval.counters import LOW_HIT_RATE
from kate_eval.report.cost import Cost, Prices, cost_of
from kate_eval.report.runs import Run, by_entry
from kate_eval.stats import Estimate, paired_difference, weighted_mean

BASELINE = "baseline"
_DEFAULTS: dict[str, object] = {
    "allow_leakage": False,
    "aggregate": "critic",
    "confidence": 0.95,
    "depth": "none",
    "inject": "turn",
    "k": 3,
    "knowledge": "trajectory",
    "layout": "multi-turn",
    "match": "embedder",
    "one_call": True,
    "recover": True,
    "sampling": "choices",
    "select": "top",
    "show_reasoning": True,
    "width": 4,
}


_OF_SOLVER: dict[str, dict[str, object]] = {
    "online": {
        "embedder": "lexical",
        "feedback": "score",
        "one_call": False,
        "prune": True,
        "width": 1,
    }
}
"""Solvers whose defaults are others."""


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard.

    Attributes:
        run: the log it comes from.
        settings: solver parameters that differ from the solver's defaults.
        headline: name of the score that ranks and compares: the broadest complete aggregate.
        scores: aggregate or category -> estimate.
        valid_gold: the headline without entries whose gold is broken.
        difference: headline minus the baseline's, on the entries that both have; None without one.
        means: counter -> mean per sample.
        errors: samples that could not be scored, or are missing from the log.
        flags: what makes the row not like for like.
        baseline: the run that it is compared with.
        cost: tokens, seconds and dollars.
    """

    run: Run
    settings: str
    headline: str
    scores: Mapping[str, Estimate]
    valid_gold: Estimate | None
    difference: Estimate | None
    means: Mapping[str, float]
    errors: int
    flags: Sequence[str] = field(default_factory=tuple)
    baseline: Run | None = None
    cost: Cost | None = None


def leaderboard(runs: Sequence[Run], prices: Prices | None = None) -> list[Row]:
    """All runs as rows, in the order given.

    Args:
        runs: the runs.
        prices: of models; by default those that the logs note.
    """
    return [replace(_row(run, runs), cost=cost_of(run, prices or {})) for run in runs]


def _row(run: Run, runs: Sequence[Run]) -> Row:
    observed = [sample.observed for sample in run.samples if sample.observed is not None]
    errors = max(run.expected, len(run.samples)) - len(observed)
    settings = _settings(run)
    if not observed:
        return Row(run, settings, "no scores", {}, None, None, {}, errors, _flags(run, errors, None, {}))
    headline, weights = run.benchmark.headline(observed)
    baseline = _baseline_of(run, runs)
    means = _means(run)
    return Row(
        run=run,
        settings=settings,
        headline=headline,
        scores=run.benchmark.scores(observed) | {headline: weighted_mean(observed, weights)},
        valid_gold=_without_broken(run),
        difference=_difference(run, baseline),
        means=means,
        errors=errors,
        flags=(*_flags(run, errors, baseline, means), *_bank_flags(run, runs)),
        baseline=baseline,
    )


def _settings(run: Run) -> str:
    """What differs from the solver's defaults and the task's, in words."""
    defaults = _DEFAULTS | _OF_SOLVER.get(run.solver, {})
    parts = {k: v for k, v in run.parameters.items() if defaults.get(k) != v}
    if run.metadata.get("mode") != run.benchmark.mode:
        parts["mode"] = run.metadata.get("mode")
    if run.benchmark.split and run.metadata.get("split") != run.benchmark.split:
        parts["split"] = run.metadata.get("split")
    if run.epochs > 1:
        parts["epochs"] = run.epochs
    parts |= {k: v for k, v in run.generation.items() if v is not None}
    return ", ".join(f"{name}={value}" for name, value in sorted(parts.items()))


def _without_broken(run: Run) -> Estimate | None:
    kept = [s.observed for s in run.samples if s.observed is not None and not s.broken_gold]
    return weighted_mean(kept, run.benchmark.headline(kept)[1]) if kept else None


def _baseline_of(run: Run, runs: Sequence[Run]) -> Run | None:
    """The baseline run of the same model that shares most entries with this one; of equals the newest."""
    if run.solver == BASELINE:
        return None
    candidates = [other for other in runs if other.solver == BASELINE and _comparable(run, other)]
    shared = [len(by_entry(run.samples).keys() & by_entry(other.samples).keys()) for other in candidates]
    best = max(shared, default=0)
    return candidates[len(shared) - 1 - shared[::-1].index(best)] if best else None


def _comparable(run: Run, other: Run) -> bool:
    """Whether two runs asked the same model the same entries in the same form."""
    if (run.model, run.task_version) != (other.model, other.task_version):
        return False
    if run.benchmark is not other.benchmark:
        return False
    if any(run.metadata.get(key) != other.metadata.get(key) for key in run.benchmark.like):
        return False
    mine, theirs = (r.metadata.get("category_hashes") or {} for r in (run, other))
    return all(mine[category] == theirs[category] for category in mine.keys() & theirs.keys())


def _difference(run: Run, baseline: Run | None) -> Estimate | None:
    if baseline is None:
        return None
    first, second = by_entry(run.samples), by_entry(baseline.samples)
    shared = [first[entry] for entry in first if entry in second]
    return paired_difference(first, second, run.benchmark.headline(shared)[1])


def _means(run: Run) -> dict[str, float]:
    names = {name for sample in run.samples for name in sample.counters}
    means: dict[str, float] = {}
    for name in names:
        values = [s.counters[name] for s in run.samples if not math.isnan(s.counters.get(name, math.nan))]
        if values:
            means[name] = fmean(values)
    played = [s.details["interactions"] for s in run.samples if "interactions" in s.details]
    if played:
        means["interactions"] = fmean(played)
    means["tokens"] = fmean(sample.tokens for sample in run.samples) if run.samples else math.nan
    return means


def _flags(run: Run, errors: int, baseline: Run | None, means: Mapping[str, float]) -> tuple[str, ...]:
    flags = []
    if run.simulated:
        flags.append("SIMULATED endpoint")
    if run.solver == "nearest":
        flags.append("floor, asks no model")
    if run.solver == "online" and run.parameters.get("feedback", "score") == "score":
        flags.append("is told the benchmark's verdict after each sample: not comparable to rows that are not")
    if means.get("leaked"):
        flags.append("LEAKED: the bank holds evaluated entries")
    if any(sample.provenance.get("bank_sources_known") is False for sample in run.samples):
        flags.append("the bank's sources are not known: leakage can't be checked")
    if errors:
        flags.append(f"{errors} of {run.expected} samples not scored")
    entries = run.metadata.get("entries", 0)
    asked = len({sample.entry for sample in run.samples})
    if asked < entries:
        flags.append(f"partial: {asked} of {entries} entries")
    if baseline is not None and baseline.generation != run.generation:
        flags.append("baseline ran with other generation settings")
    # Runs of before there was a recovery have no such parameter, and none was done.
    if baseline is not None and _recovers(baseline) != _recovers(run):
        flags.append("baseline ran with another setting of recover")
    if means.get("recovered"):
        flags.append(f"{means['recovered']:.1f} answers a sample had calls that the server left unread")
    open_layers = sorted({name for s in run.samples for name in _uncontained(s.details)})
    if open_layers:
        flags.append(f"code ran without: {', '.join(open_layers)}")
    if run.status != "success":
        flags.append(f"run ended with status {run.status!r}")
    if means.get("retrieval_hit_rate", 1.0) < LOW_HIT_RATE:
        flags.append("knowledge injected in few turns")
    if run.solver not in (BASELINE, "nearest") and baseline is None:
        flags.append("no baseline of this model on these entries")
    return tuple(flags)


def _bank_flags(run: Run, runs: Sequence[Run]) -> tuple[str, ...]:
    """Whether the bank of the run was another than rows beside it had under the same name."""
    mine = _banks(run)
    if run.solver == "online":  # its bank grows
        return ()
    flags = [f"bank {name} changed during the run" for name, held in mine.items() if len(held) > 1]
    for name, held in mine.items():
        others = [_banks(other).get(name, held) for other in runs if other.solver != "online"]
        if any(other != held for other in others):
            flags.append(f"bank {name} is not the same in all rows: here {', '.join(sorted(held))}")
    return tuple(flags)


def _banks(run: Run) -> dict[str, set[str]]:
    """Name of a bank -> hashes of what it held."""
    found: dict[str, set[str]] = {}
    for sample in run.samples:
        if "bank_hash" in sample.provenance:
            found.setdefault(str(sample.provenance.get("bank")), set()).add(sample.provenance["bank_hash"])
    return found


def _recovers(run: Run) -> bool:
    return bool(run.parameters.get("recover", False))


def _uncontained(details: Mapping[str, Any]) -> set[str]:
    """Layers of containment that a sample's code ran without."""
    return set(LAYERS) - set(details["contained"]) if "contained" in details else set()


def columns(rows: Sequence[Row]) -> list[str]:
    """The score columns of a board beside the headline: those that some row has."""
    headlines = {row.headline for row in rows}
    named = rows[0].run.benchmark.columns
    return [n for n in named if any(n in row.scores for row in rows) and headlines != {n}]
