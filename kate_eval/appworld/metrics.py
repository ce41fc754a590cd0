"""AppWorld's scores as Inspect metrics.

Source: appworld 0.1.3.post1, `evaluator.Metric`: TGC is the mean of success over tasks, SGC the mean over
scenarios of the minimum over a scenario's variants; both as percentages with one decimal, overall and per
difficulty. Samples that could not be scored are left out (the engine would have no output to evaluate).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import cast

from inspect_ai.scorer import Metric, SampleScore, Value, metric, value_to_float

DIFFICULTIES = (1, 2, 3)


def percent(values: Sequence[float]) -> float:
    """Mean as the engine rounds it: to 4 decimals, then as a percentage to 1."""
    return round(100 * round(fmean(values), 4), 1)


def completion(scored: Iterable[tuple[str, float]]) -> tuple[float, float] | None:
    """Task and scenario goal completion in percent; None without samples.

    Args:
        scored: (scenario, success) of each task.
    """
    scenarios: dict[str, list[float]] = defaultdict(list)
    for scenario, value in scored:
        scenarios[scenario].append(value)
    if not scenarios:
        return None
    every = [value for values in scenarios.values() for value in values]
    return percent(every), percent([min(values) for values in scenarios.values()])


@metric
def appworld_metrics() -> Metric:
    """TGC and SGC, overall and per difficulty."""
    to_float = value_to_float()

    def compute(scores: list[SampleScore]) -> Value:
        rows = [(dict(item.sample_metadata or {}), to_float(item.score.value)) for item in scores]
        found: dict[str, float] = {}
        for suffix, wanted in (("", DIFFICULTIES), *((f"_difficulty_{d}", (d,)) for d in DIFFICULTIES)):
            chosen = [(m["cluster"], value) for m, value in rows if m["difficulty"] in wanted]
            both = completion(chosen)
            if both is not None:
                found[f"tgc{suffix}"], found[f"sgc{suffix}"] = both
        return cast(Value, found)

    return compute
