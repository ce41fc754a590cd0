"""The figures of a scoring: ours, by V3's rules, and those that `bfcl evaluate` writes, by V4's.

Source: bfcl-eval 2026.3.23, `eval_runner_helper.generate_leaderboard_csv`. There an inference error counts
as wrong, a category without results as zero, and the agentic categories, which BFCL-V3 has not, for 40% of
the total.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from kate_eval.bfcl import data
from kate_eval.bfcl.categories import GROUPS, MULTI_TURN
from kate_eval.bfcl.interchange.score import Scoring
from kate_eval.bfcl.metrics import AGGREGATES, aggregate_weights
from kate_eval.stats import Estimate, Observed, weighted_mean

_SIMPLE = ("simple_python", "simple_java", "simple_javascript")
_NON_LIVE_AST = ("multiple", "parallel", "parallel_multiple")
_LIVE_AST = ("live_simple", "live_multiple", "live_parallel", "live_parallel_multiple")
_IRRELEVANCE = ("irrelevance", "live_irrelevance")
_WEIGHTS = {"Non-Live AST Acc": 0.1, "Live Acc": 0.1, "Irrelevance Detection": 0.1, "Multi Turn Acc": 0.3}
_NEEDED = {
    "Non-Live AST Acc": {*_SIMPLE, *_NON_LIVE_AST},
    "Relevance Detection": {"live_relevance"},
    "Irrelevance Detection": {*_IRRELEVANCE},
}
"""Totals that are N/A, though they count as they are, where one of these categories is missing."""


@dataclass(frozen=True)
class Figure:
    """One row: a category or an aggregate.

    Attributes:
        name: of the category or aggregate.
        ours: its estimate; None where nothing was scored, or categories of an aggregate are missing.
        errors: results that are inference errors.
        missing: entries without a result.
        official: the share that `bfcl evaluate` finds correct; None without results, and for
            aggregates: it has others.
    """

    name: str
    ours: Estimate | None
    errors: int
    missing: int
    official: float | None


def figures(scoring: Scoring) -> list[Figure]:
    """The aggregates of whose categories all have files, and every category that has one."""
    observed = scoring.observed
    rows = [_aggregate(name, observed) for name in AGGREGATES]
    kept = [item for item in observed if not data.load_entry(item.entry).broken_gold]
    rows.insert(1, _aggregate("overall", kept, "overall without broken gold"))
    official = official_accuracies(scoring)
    return [row for row in rows if row.ours or row.name in _lacking(scoring)] + [
        _category(scoring, category, observed, official.get(category)) for category in scoring.categories
    ]


def _lacking(scoring: Scoring) -> set[str]:
    """Aggregates whose categories all have files, but not all of them results."""
    groups = {name: GROUPS["all" if name == "overall" else name] for name in AGGREGATES}
    there = {name for name, members in groups.items() if {*members} <= {*scoring.categories}}
    return {name for name in there if {*groups[name]} & {*scoring.unscored}}


def _aggregate(name: str, observed: Sequence[Observed], label: str = "") -> Figure:
    weights = aggregate_weights(name, Counter(item.group for item in observed))
    return Figure(label or name, weighted_mean(observed, weights) if weights else None, 0, 0, None)


def _category(
    scoring: Scoring, category: str, observed: Sequence[Observed], official: float | None
) -> Figure:
    mine = [item for item in observed if item.group == category]
    errors = sum(bool(item.error) for item in scoring.judged.values() if item.entry.category == category)
    ours = weighted_mean(mine, {category: 1.0}) if mine else None
    return Figure(category, ours, errors, len(scoring.missing(category)), official)


def official_accuracies(scoring: Scoring) -> dict[str, float]:
    """Category -> accuracy in the official score file: of all results, inference errors among them."""
    found: dict[str, list[bool]] = {}
    for item in scoring.judged.values():
        found.setdefault(item.entry.category, []).append(item.verdict.correct)
    return {category: fmean(correct) for category, correct in found.items()}


def official_totals(scoring: Scoring) -> dict[str, float | None]:
    """The totals in data_overall.csv, under its own column names; None where it has N/A."""
    accuracies = official_accuracies(scoring)
    counts = Counter(item.entry.category for item in scoring.judged.values())
    totals = {
        "Non-Live AST Acc": fmean(
            [_mean(accuracies, _SIMPLE), *(accuracies.get(category, 0.0) for category in _NON_LIVE_AST)]
        ),
        "Live Acc": _weighted(accuracies, counts),
        "Multi Turn Acc": _mean(accuracies, MULTI_TURN),
        "Relevance Detection": accuracies.get("live_relevance", 0.0),
        "Irrelevance Detection": _mean(accuracies, _IRRELEVANCE),
    }
    overall = sum(weight * totals[name] for name, weight in _WEIGHTS.items())
    shown = {
        name: value if _NEEDED.get(name, set()) <= counts.keys() else None for name, value in totals.items()
    }
    return {"Overall Acc": overall, **shown}


def _mean(accuracies: Mapping[str, float], categories: Sequence[str]) -> float:
    return fmean(accuracies.get(category, 0.0) for category in categories)


def _weighted(accuracies: Mapping[str, float], counts: Mapping[str, int]) -> float:
    """The live categories by their number of results; a missing one weighs as much as it has entries."""
    weights = {c: counts.get(c) or len(data.load_category(c)) for c in _LIVE_AST}
    return sum(accuracies.get(c, 0.0) * n for c, n in weights.items()) / sum(weights.values())
