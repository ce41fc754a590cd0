"""AppWorld's scores as Inspect metrics.

Source: appworld 0.1.3.post1, `evaluator.Metric`: TGC is the mean of success over tasks, SGC the mean over
scenarios of the minimum over a scenario's variants; both as percentages with one decimal, overall and per
difficulty. Samples that could not be scored are left out (the engine would have no output to evaluate).
The engine knows no epochs: over several, an epoch of a scenario counts as one of its scenarios does. The
minimum of means over epochs would count variants that pass in different epochs as a scenario that passes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import cast

from inspect_ai.scorer import Metric, SampleScore, Value, metric, value_to_float

DIFFICULTIES = (1, 2, 3)
EPOCH = "epoch"
"""Metadata of a score: which epoch it is of."""


def percent(values: Sequence[float]) -> float:
    """Mean as the engine rounds it: to 4 decimals, then as a percentage to 1."""
    return round(100 * round(fmean(values), 4), 1)


def completion(scored: Iterable[tuple[str, int, int, float]]) -> dict[str, float]:
    """Task and scenario goal completion in percent ("tgc", "sgc"), as far as there are any.

    SGC is the mean over scenarios of the share of epochs in which all variants pass: where all was scored,
    the mean over epochs of each epoch's SGC. A scenario's epoch counts once all its variants are scored in
    it: those that are left could hide the one that failed.

    Args:
        scored: scenario, number of its variants, epoch, and success, of each task and epoch.
    """
    epochs: dict[tuple[str, int, int], list[float]] = defaultdict(list)
    for scenario, variants, epoch, value in scored:
        epochs[scenario, variants, epoch].append(value)
    every = [value for values in epochs.values() for value in values]
    scenarios: dict[str, list[float]] = defaultdict(list)
    for (scenario, variants, _), values in epochs.items():
        if len(values) == variants:
            scenarios[scenario].append(min(values))
    passed = [fmean(values) for values in scenarios.values()]
    return {name: percent(values) for name, values in (("tgc", every), ("sgc", passed)) if values}


def _epochs_unknown(scores: Sequence[SampleScore]) -> bool:
    """Whether a task has several scores of which one doesn't say its epoch."""
    silent = {item.sample_id for item in scores if EPOCH not in (item.score.metadata or {})}
    counts = Counter(item.sample_id for item in scores)
    return any(counts[sample] > 1 for sample in silent)


@metric(scores="unreduced")
def appworld_metrics() -> Metric:
    """TGC and SGC, overall and per difficulty.

    They need each epoch's score by itself, with the epoch that `appworld_verdict` notes in it. Scores of
    older logs lack that: where a task has several such scores there is no SGC.
    """
    to_float = value_to_float()

    def compute(scores: list[SampleScore]) -> Value:
        rows = [
            (
                item.sample_metadata or {},
                (item.score.metadata or {}).get(EPOCH, 1),
                to_float(item.score.value),
            )
            for item in scores
        ]
        found: dict[str, float] = {}
        for suffix, wanted in (("", DIFFICULTIES), *((f"_difficulty_{d}", (d,)) for d in DIFFICULTIES)):
            chosen = [(m["cluster"], m["variants"], e, v) for m, e, v in rows if m["difficulty"] in wanted]
            found |= {f"{name}{suffix}": value for name, value in completion(chosen).items()}
        if _epochs_unknown(scores):
            found = {name: value for name, value in found.items() if not name.startswith("sgc")}
        return cast(Value, found)

    return compute
