"""Statistics against their definitions and against published examples."""

import math
from itertools import combinations
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kate_eval.stats import Estimate, Observed, holm, pass_at, pass_hat, weighted_mean

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("given_", "corrected"),
    [
        # The example of Wikipedia's article on the Holm-Bonferroni method.
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        # By hand: the third, 3 x 0.014, may not fall below the second, 4 x 0.012.
        ([0.001, 0.012, 0.014, 0.2, 0.9], [0.005, 0.048, 0.048, 0.4, 0.9]),
        ([0.04], [0.04]),
        ([0.6, 0.7], [1.0, 1.0]),
        ([], []),
    ],
)
def test_holm_s_correction_by_hand(given_: list[float], corrected: list[float]) -> None:
    assert holm(given_) == pytest.approx(corrected)


@given(SHARES)
def test_holm_corrects_upwards_and_never_beyond_bonferroni(p_values: list[float]) -> None:
    found = holm(p_values)
    for p, corrected in zip(p_values, found, strict=True):
        assert p <= corrected <= min(1.0, len(p_values) * p) or corrected == 1.0
    ordered = sorted(range(len(p_values)), key=lambda n: p_values[n])
    assert [found[n] for n in ordered] == sorted(found)


@given(SHARES, st.floats(0.001, 0.2))
def test_holm_rejects_what_its_steps_reject(p_values: list[float], level: float) -> None:
    rejected = 0
    ordered = sorted(p_values)
    while rejected < len(ordered) and (len(ordered) - rejected) * ordered[rejected] <= level:
        rejected += 1
    assert sum(p <= level for p in holm(p_values)) == rejected


@given(st.integers(1, 7), st.data())
def test_passes_are_what_choosing_attempts_at_random_gives(n: int, data: st.DataObject) -> None:
    correct, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    chosen = list(combinations([1] * correct + [0] * (n - correct), k))
    assert pass_at(k, n, correct) == pytest.approx(fmean(any(c) for c in chosen))
    assert pass_hat(k, n, correct) == pytest.approx(fmean(all(c) for c in chosen))


def test_more_attempts_than_there_are_can_t_be_judged() -> None:
    for k, n in ((3, 2), (0, 2)):
        with pytest.raises(ValueError, match="at least as many attempts"):
            pass_at(k, n, 1)


def test_the_detectable_effect_is_2_8_standard_errors() -> None:
    assert Estimate(0.1, 0.05, 100, 100).detectable() == pytest.approx(2.8016 * 0.05, rel=1e-4)
    assert math.isnan(Estimate(0.1, 0.0, 100, 100).detectable())


def test_p_values_are_exact_where_they_are_tiny() -> None:
    assert Estimate(0.0, 0.1, 9, 9).p_value() == 1
    assert Estimate(1.96, 1.0, 9, 9).p_value() == pytest.approx(0.05, abs=1e-4)
    assert 0 < Estimate(1.0, 0.05, 9, 9).p_value() < 1e-80


def test_what_rounding_leaves_is_no_spread() -> None:
    alike = [Observed(1 / 3 + value, "g", f"c{n}") for n in range(4) for value in (0.1, 0.2, 0.7)]
    found = weighted_mean(alike, {"g": 1.0})
    assert found.stderr == 0 and math.isnan(found.p_value())
