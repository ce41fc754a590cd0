"""V3's aggregates by hand-computed examples, and their clustered errors."""

import math
from collections import Counter

import pytest
from inspect_ai.scorer import SampleScore, Score
from inspect_ai.scorer import stderr as inspect_stderr

from kate_eval.bfcl.categories import CATEGORIES, LIVE, MULTI_TURN
from kate_eval.bfcl.metrics import aggregate_weights, bfcl_v3
from kate_eval.stats import Observed, paired_difference, weighted_mean


def sample(value: str, category: str, cluster: str, broken: bool = False) -> SampleScore:
    """One scored sample."""
    metadata = {"category": category, "cluster": cluster, "broken_gold": broken}
    return SampleScore(score=Score(value=value), sample_id=cluster, sample_metadata=metadata)


def test_weights_follow_the_leaderboard() -> None:
    counts = Counter(dict.fromkeys(CATEGORIES, 10)) | Counter({"live_multiple": 50})
    overall = aggregate_weights("overall", counts)
    assert overall is not None and math.isclose(sum(overall.values()), 1)
    assert math.isclose(overall["simple_java"], 1 / 45) and math.isclose(overall["multiple"], 1 / 15)
    assert math.isclose(overall["live_multiple"], 50 / 100 / 3)
    assert math.isclose(overall["multi_turn_base"], 1 / 12)


def test_an_aggregate_is_absent_unless_all_its_categories_were_evaluated() -> None:
    counts = Counter(dict.fromkeys((*LIVE, *MULTI_TURN[:3]), 1))
    assert aggregate_weights("live", counts) is not None
    assert aggregate_weights("multi_turn", counts) is None and aggregate_weights("overall", counts) is None


def test_broken_gold_counts_officially_and_is_left_out_of_the_second_figure() -> None:
    scores = [sample("C", c, f"{c}_{n}") for c in MULTI_TURN for n in range(3)]
    scores += [sample("I", "multi_turn_miss_func", "m_9", broken=True)]
    found = bfcl_v3()(scores)  # type: ignore[arg-type]
    assert isinstance(found, dict)
    assert math.isclose(float(found["multi_turn"]), (1 + 0.75 + 1 + 1) / 4)
    assert found["multi_turn_valid_gold"] == 1


def test_the_clustered_error_is_inspect_s_own_for_a_plain_mean() -> None:
    values = [("C", "a"), ("C", "a"), ("I", "b"), ("C", "c"), ("I", "c"), ("I", "d")]
    scores = [sample(value, "live_simple", cluster) for value, cluster in values]
    expected = inspect_stderr(cluster="cluster")(scores)  # type: ignore[arg-type]
    observed = [Observed(float(value == "C"), "live_simple", cluster) for value, cluster in values]
    assert math.isclose(weighted_mean(observed, {"live_simple": 1.0}).stderr, float(expected))  # type: ignore[arg-type]


def test_categories_of_one_scenario_are_correlated() -> None:
    together = [Observed(n % 2, c, f"m_{n}") for c in MULTI_TURN for n in range(40)]
    apart = [Observed(n % 2, c, f"{c}_{n}") for c in MULTI_TURN for n in range(40)]
    weights = dict.fromkeys(MULTI_TURN, 0.25)
    ratio = weighted_mean(together, weights).stderr / weighted_mean(apart, weights).stderr
    assert math.isclose(ratio, 2, rel_tol=0.02)


def test_paired_differences_use_only_what_both_have() -> None:
    first = {f"e{n}": Observed(1.0, "c", f"e{n}") for n in range(10)}
    second = {f"e{n}": Observed(float(n % 2), "c", f"e{n}") for n in range(4, 12)}
    difference = paired_difference(first, second, {"c": 1.0})
    assert difference.n == 6 and math.isclose(difference.mean, 0.5)


def test_intervals_of_proportions_stay_in_range_and_have_width_at_the_ends() -> None:
    none = weighted_mean([Observed(0.0, "c", str(n)) for n in range(100)], {"c": 1.0})
    low, high = none.proportion_interval()
    assert low == 0 and 0.03 < high < 0.05


def test_a_group_without_samples_is_an_error() -> None:
    with pytest.raises(ValueError, match="no samples in b"):
        weighted_mean([Observed(1.0, "a", "x")], {"a": 0.5, "b": 0.5})
