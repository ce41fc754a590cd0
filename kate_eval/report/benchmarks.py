"""What the report must know of each benchmark: its scores, which of them ranks, and what is comparable."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from kate_eval.bfcl.categories import CATEGORIES, GROUPS
from kate_eval.bfcl.metrics import AGGREGATES, aggregate_weights
from kate_eval.stats import Estimate, Observed, weighted_mean

Weights = tuple[str, dict[str, float]]
"""Name of a score, and the weights of its categories."""


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as the report sees it.

    Attributes:
        scorer: name of the scorer whose values are reported.
        setup: name of the setup solver, which is no solver of the user's.
        split: the split that needs no mention.
        mode: the mode that needs no mention.
        title: title of a run's board, from its metadata; runs of one title stand in one table.
        headline: observations -> the score that ranks and compares.
        scores: observations -> all scores.
        columns: scores that have a column, in order.
        categories: groups of observations, in order.
        like: metadata that must be equal for runs to be compared.
        labels: score -> how a column names it.
    """

    scorer: str
    setup: str
    split: str
    mode: str
    title: Callable[[Mapping[str, Any]], str]
    headline: Callable[[Sequence[Observed]], Weights]
    scores: Callable[[Sequence[Observed]], dict[str, Estimate]]
    columns: tuple[str, ...]
    categories: tuple[str, ...]
    like: tuple[str, ...]
    labels: Mapping[str, str]


_DETECTION = {"relevance": ("live_relevance",), "irrelevance_all": ("irrelevance", "live_irrelevance")}
"""The leaderboard's two detection scores -> categories, of which each counts the same (bfcl-eval
`eval_runner_helper.py`)."""


def bfcl_headline(observed: Sequence[Observed]) -> Weights:
    """The broadest complete aggregate and its weights; else the plain mean over the samples.

    A group counts as the headline only if nothing outside it was evaluated.
    """
    counts = Counter(item.group for item in observed)
    for name in AGGREGATES:
        weights = aggregate_weights(name, counts)
        if weights is not None and set(weights) == set(counts):
            return name, weights
    name = next(iter(counts)) if len(counts) == 1 else "mean of samples"
    return name, by_share(counts)


def _bfcl_scores(observed: Sequence[Observed]) -> dict[str, Estimate]:
    counts = Counter(item.group for item in observed)
    found: dict[str, Estimate] = {}
    for name in AGGREGATES:
        weights = aggregate_weights(name, counts)
        if weights is not None:
            found[name] = weighted_mean(observed, weights)
    for name, members in _DETECTION.items():
        if all(counts[member] for member in members):
            found[name] = weighted_mean(observed, dict.fromkeys(members, 1 / len(members)))
    return found | {c: weighted_mean(observed, {c: 1.0}) for c in CATEGORIES if counts[c]}


def by_share(counts: Mapping[str, int]) -> dict[str, float]:
    """Weights with which a weighted mean is the plain mean over the samples."""
    total = sum(counts.values())
    return {category: count / total for category, count in counts.items()}


def _appworld_headline(observed: Sequence[Observed]) -> Weights:
    return "tgc", by_share(Counter(item.group for item in observed))


def _appworld_scores(observed: Sequence[Observed]) -> dict[str, Estimate]:
    """TGC and SGC, overall and per difficulty. The cluster of an observation is its scenario."""
    found = _sgc("sgc", observed)
    for group in sorted({item.group for item in observed}):
        found[group] = weighted_mean(observed, {group: 1.0})
        found |= _sgc(f"sgc_{group}", [item for item in observed if item.group == group])
    return found


def _sgc(name: str, observed: Sequence[Observed]) -> dict[str, Estimate]:
    """The share of a scenario's epochs in which all its variants are right, in the mean over scenarios.

    An epoch in which a variant was not scored is left out.
    """
    epochs: dict[tuple[str, int, int], list[float]] = defaultdict(list)
    for item in observed:
        epochs[item.cluster, item.variants, item.epoch].append(item.value)
    scenarios: dict[str, list[float]] = defaultdict(list)
    for (scenario, variants, _), values in epochs.items():
        if len(values) == variants:
            scenarios[scenario].append(min(values))
    worst = [Observed(fmean(values), name, scenario) for scenario, values in scenarios.items()]
    return {name: weighted_mean(worst, {name: 1.0})} if worst else {}


def _appworld_title(metadata: Mapping[str, Any]) -> str:
    own = " (the mini world: our own tasks)" if metadata.get("world") == "mini" else ""
    return f"AppWorld {metadata.get('split')}{own}"


BENCHMARKS: dict[str, Benchmark] = {
    "bfcl": Benchmark(
        scorer="bfcl_verdict",
        setup="open_bfcl",
        split="test",
        mode="fc",
        title=lambda metadata: "BFCL-V3",
        headline=bfcl_headline,
        scores=_bfcl_scores,
        columns=(*AGGREGATES, *GROUPS["multi_turn"], *_DETECTION),
        categories=CATEGORIES,
        like=("mode", "bfcl_eval_version"),
        labels={
            "overall": "Overall",
            "non_live": "Non-live",
            "live": "Live",
            "multi_turn": "Multi-turn",
            "multi_turn_base": "base",
            "multi_turn_miss_func": "miss func",
            "multi_turn_miss_param": "miss param",
            "multi_turn_long_context": "long ctx",
            "relevance": "relevance",
            "irrelevance_all": "irrelevance",
            "irrelevance": "irrelevance (non-live)",
        },
    ),
    "appworld": Benchmark(
        scorer="appworld_verdict",
        setup="open_world",
        split="",  # it is in the board's title
        mode="code",
        title=_appworld_title,
        headline=_appworld_headline,
        scores=_appworld_scores,
        columns=("sgc", "difficulty_1", "difficulty_2", "difficulty_3"),
        categories=("difficulty_1", "difficulty_2", "difficulty_3"),
        like=("world", "split", "data_hash", "appworld_version", "task_prompts_hash"),
        labels={
            "tgc": "TGC",
            "sgc": "SGC",
            **{f"difficulty_{level}": f"TGC level {level}" for level in (1, 2, 3)},
            **{f"sgc_difficulty_{level}": f"SGC level {level}" for level in (1, 2, 3)},
        },
    ),
}
"""A log's benchmark (its task's metadata) -> what the report needs of it."""
