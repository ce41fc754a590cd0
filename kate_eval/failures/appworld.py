"""AppWorld's samples: what the engine's tests found, as the scorer kept it, and how the play ended."""

from collections.abc import Mapping
from typing import Any

from inspect_ai.log import EvalSample
from inspect_ai.model import ChatMessageAssistant

from kate_eval.appworld.decode import read
from kate_eval.appworld.scorer import FAILURES, FINDING_KEY
from kate_eval.episode import OUTCOME_KEY
from kate_eval.failures.bfcl import limit_of
from kate_eval.failures.cause import MAX_SHOWN, Cause, shortened
from kate_eval.failures.shape import ShapeError

MAX_ANSWERS = 1000
"""Answers of a sample that are read."""


def appworld_cause(sample: EvalSample) -> Cause:
    """The cause of a failed sample.

    Raises:
        ShapeError: the log holds no finding of ours.
    """
    finding, outcome = sample.store.get(FINDING_KEY), sample.store.get(OUTCOME_KEY)
    if not isinstance(finding, Mapping) or not isinstance(outcome, Mapping):
        raise ShapeError("the log holds no finding of AppWorld's tests")
    kind = finding.get("failure")
    if kind not in FAILURES:
        raise ShapeError(f"the finding's failure is {str(kind)[:40]!r}, not one of {', '.join(FAILURES)}")
    steps = outcome.get("interactions")
    last = steps - 1 if isinstance(steps, int) and steps > 0 else None
    if kind == "never_finished":
        return _never_finished(sample, last)
    return Cause(kind, 0, last, _failed_tests(finding))


def _never_finished(sample: EvalSample, last: int | None) -> Cause:
    """Out of interactions, time or shells; or the answers that should have been code could not be read."""
    said = [m.text for m in sample.messages[-2 * MAX_ANSWERS :] if isinstance(m, ChatMessageAssistant)]
    unread = sum(read(text).code is None for text in said)
    if said and 2 * unread > len(said):
        return Cause("parse", 0, last, f"{unread} of {len(said)} answers held no code that could be run")
    ending = limit_of(sample) or "out of interactions, time or shells"
    return Cause("step_limit", 0, last, f"never submitted: {ending}")


def _failed_tests(finding: Mapping[str, Any]) -> str:
    tests = finding.get("tests")
    failed = [
        shortened(str(test.get("requirement")), MAX_SHOWN)
        for test in (tests if isinstance(tests, list) else ())
        if isinstance(test, Mapping) and not test.get("passed")
    ]
    return "; ".join(failed) or "the task left no outputs that could be evaluated"
