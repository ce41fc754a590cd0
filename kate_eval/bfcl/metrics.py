"""BFCL-V3's aggregate scores as Inspect metrics.

Source: the V3 leaderboard's rules (bfcl-eval `eval_runner_helper.py`; V4 weighs otherwise):
simple = mean(python, java, javascript); non-live = mean(simple, multiple, parallel, parallel_multiple,
irrelevance); live = mean over its samples; multi-turn = mean of its four; overall = mean of the three.
An aggregate is reported only where all its categories were evaluated.
"""

from collections import Counter
from collections.abc import Mapping
from typing import cast

from inspect_ai.scorer import Metric, SampleScore, Value, metric, value_to_float

from kate_eval.bfcl.categories import GROUPS, LIVE, MULTI_TURN, NON_LIVE
from kate_eval.stats import Observed, weighted_mean

AGGREGATES = ("overall", "non_live", "live", "multi_turn")
_SIMPLE = ("simple_python", "simple_java", "simple_javascript")


def aggregate_weights(name: str, counts: Mapping[str, int]) -> dict[str, float] | None:
    """Category -> weight in the aggregate, or None where some of its categories have no samples.

    Args:
        name: one of AGGREGATES.
        counts: category -> number of samples (live categories are weighted by it).
    """
    members = GROUPS["all" if name == "overall" else name]
    if any(not counts.get(category) for category in members):
        return None
    if name == "non_live":
        return {c: 1 / 15 if c in _SIMPLE else 1 / 5 for c in NON_LIVE}
    if name == "live":
        total = sum(counts[category] for category in LIVE)
        return {category: counts[category] / total for category in LIVE}
    if name == "multi_turn":
        return dict.fromkeys(MULTI_TURN, 1 / len(MULTI_TURN))
    parts = [aggregate_weights(part, counts) for part in AGGREGATES[1:]]
    return {category: weight / 3 for part in parts for category, weight in (part or {}).items()}


def observe(scores: list[SampleScore], skip_broken: bool) -> list[Observed]:
    """Sample scores as observations; with `skip_broken` without the entries whose gold is broken."""
    to_float = value_to_float()
    observed = []
    for item in scores:
        metadata = item.sample_metadata or {}
        if not (skip_broken and metadata.get("broken_gold")):
            observed.append(Observed(to_float(item.score.value), metadata["category"], metadata["cluster"]))
    return observed


@metric
def bfcl_v3() -> Metric:
    """V3's aggregates with clustered standard errors, officially and without broken gold."""

    def compute(scores: list[SampleScore]) -> Value:
        found: dict[str, float] = {}
        for suffix, skip_broken in (("", False), ("_valid_gold", True)):
            observed = observe(scores, skip_broken)
            counts = Counter(item.group for item in observed)
            for name in AGGREGATES:
                weights = aggregate_weights(name, counts)
                if weights is not None:
                    estimate = weighted_mean(observed, weights)
                    found[f"{name}{suffix}"] = estimate.mean
                    found[f"{name}{suffix}_stderr"] = estimate.stderr
        return cast(Value, found)

    return compute
