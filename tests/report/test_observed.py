"""When a sample counts, and as what."""

import math
from typing import Any

import pytest
from inspect_ai.log import EvalError, EvalSample, EvalSampleSummary
from inspect_ai.scorer import Score

from kate_eval.report.observed import observed
from kate_eval.stats import Observed

ERROR = EvalError(message="lost", traceback="", traceback_ansi="")


def told(value: Any) -> dict[str, Any]:
    """A sample whose scorer said this; None where it said nothing."""
    scores = {"other": Score(value="C")} | ({} if value is None else {"mine": Score(value=value)})
    place = {"category": "c", "cluster": "k", "variants": 3}
    return {"id": 7, "epoch": 2, "input": "x", "target": "", "metadata": place, "scores": scores}


@pytest.mark.parametrize(
    ("value", "expected"),
    [("C", 1.0), (1, 1.0), (1.0, 1.0), (True, 1.0), ("I", 0.0), (0.5, 0.0), (math.nan, None), (None, None)],
)
def test_a_verdict_is_right_or_wrong_or_none(value: Any, expected: float | None) -> None:
    wanted = None if expected is None else Observed(expected, "c", "k", "7", 3, 2)
    assert observed(EvalSample(**told(value)), "mine") == wanted
    assert observed(EvalSampleSummary(**told(value)), "mine") == wanted


def test_a_sample_that_failed_counts_for_nothing_whatever_its_scorer_said() -> None:
    assert observed(EvalSample(**told("C"), error=ERROR), "mine") is None
    assert observed(EvalSampleSummary(**told("I"), error="lost"), "mine") is None
