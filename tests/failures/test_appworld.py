"""AppWorld: the tests' finding is the cause; how the play ended tells why nothing was submitted."""

from collections.abc import Sequence
from typing import Any

import pytest
from inspect_ai.log import EvalSample
from inspect_ai.model import ChatMessageAssistant
from inspect_ai.scorer import INCORRECT, Score

from kate_eval.appworld.scorer import FAILURES, FINDING_KEY
from kate_eval.episode import OUTCOME_KEY, SAMPLE_KEY
from kate_eval.failures import KINDS, Cause, cause_of


def found(failure: Any, answers: Sequence[str] = (), **outcome: Any) -> Cause:
    """The cause of a sample that failed by the engine's tests."""
    tests = [
        {"requirement": "Only likes were changed.", "label": "no_op_pass", "passed": False},
        {"requirement": "The answer is right.", "label": "no_op_fail", "passed": True},
    ]
    played = EvalSample(
        id="x_1",
        epoch=1,
        input="",
        target="",
        messages=[ChatMessageAssistant(content=text) for text in answers],
        scores={"appworld_verdict": Score(value=INCORRECT)},
        store={
            SAMPLE_KEY: {"benchmark": "appworld-mini"},
            OUTCOME_KEY: {"interactions": 3, **outcome},
            FINDING_KEY: {"failure": failure, "tests": tests},
        },
    )
    cause = cause_of(played)
    assert cause is not None and cause.kind in KINDS
    return cause


@pytest.mark.parametrize("failure", [kind for kind in FAILURES if kind != "never_finished"])
def test_what_the_tests_found_is_the_cause(failure: str) -> None:
    assert found(failure) == Cause(failure, 0, 2, "Only likes were changed.")


def test_what_was_never_submitted_ran_out_of_something() -> None:
    assert found("never_finished", ["```python\nprint(1)\n```"] * 3).kind == "step_limit"


def test_answers_without_code_are_a_parse_failure() -> None:
    cause = found("never_finished", ["I would like the songs."] * 2 + ["```python\nprint(1)\n```"])
    assert cause.kind == "parse" and "2 of 3 answers" in cause.detail


def test_a_finding_of_another_shape_is_unreadable() -> None:
    assert found("made up").kind == found(None).kind == found(["x"]).kind == "unreadable"
