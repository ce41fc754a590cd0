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


def completion(scored: Iterable[tuple[str, int, float]]) -> dict[str, float]:
    """Task and scenario goal completion in percent ("tgc", "sgc"), as far as there are any.

    A scenario counts once all its variants are scored: those that are left could hide the one that failed.

    Args:
        scored: scenario, number of its variants, and success, of each task.
    """
    scenarios: dict[tuple[str, int], list[float]] = defaultdict(list)
    for scenario, variants, value in scored:
        scenarios[scenario, variants].append(value)
    every = [value for values in scenarios.values() for value in values]
    worst = [min(values) for (_, variants), values in scenarios.items() if len(values) == variants]
    return {name: percent(values) for name, values in (("tgc", every), ("sgc", worst)) if values}


@metric
def appworld_metrics() -> Metric:
    """TGC and SGC, overall and per difficulty."""
    to_float = value_to_float()

    def compute(scores: list[SampleScore]) -> Value:
        rows = [(dict(item.sample_metadata or {}), to_float(item.score.value)) for item in scores]
        found: dict[str, float] = {}
        for suffix, wanted in (("", DIFFICULTIES), *((f"_difficulty_{d}", (d,)) for d in DIFFICULTIES)):
            chosen = [(m["cluster"], m["variants"], v) for m, v in rows if m["difficulty"] in wanted]
            found |= {f"{name}{suffix}": value for name, value in completion(chosen).items()}
        return cast(Value, found)

    return compute
