"""The scorer of the AppWorld task: the engine's own evaluation of the outputs that the episode left.

It runs in a process of its own with the ground truth. A sample that could not be played is not scored (nan,
counted as `errored`); one that was stopped by a limit is scored as it stands.
"""

import math
from typing import Any

from inspect_ai.scorer import (
    CORRECT,
    INCORRECT,
    Score,
    Scorer,
    Target,
    accuracy,
    grouped,
    mean,
    scorer,
    stderr,
)
from inspect_ai.solver import TaskState

from kate_eval.appworld.metrics import EPOCH, appworld_metrics
from kate_eval.appworld.sessions import evaluate
from kate_eval.episode import FAILURE_KEY, settle
from kate_eval.errors import EngineError

LAYERS = ("rlimits", "landlock", "seccomp", "no_capabilities")
"""What contains a model's code where the system has it all; the log says what held."""
FINDING_KEY = "kate:appworld"
"""Store key: what `appworld_verdict` found of the sample."""
NO_OUTPUTS = "The task left no outputs, or the model made them too large to evaluate: failed."
MAX_TRACE = 4000
"""Characters of a failed test's trace in the score's explanation."""
_TOO_FEW, _TOO_MANY = "In right but not left:", "In left but not right:"
FAILURES = ("never_finished", "wrong_answer", "missing_change", "collateral_damage")
"""Why a sample failed; an environment's error is no failure of the model's and is counted as errored."""


@scorer(
    metrics=[
        accuracy(),
        stderr(cluster="cluster"),
        appworld_metrics(),
        grouped(accuracy(), "category", all=False),
    ]
)
def appworld_verdict() -> Scorer:
    """Whether all of the task's tests pass on its outputs."""

    async def score(state: TaskState, target: Target) -> Score:
        outcome, failure = await settle(state)
        if outcome is None or failure is not None:
            return Score(value=math.nan, explanation=f"Not scored, the sample failed: {failure}")
        epoch = {EPOCH: state.epoch}
        metadata: dict[str, Any] = {
            "interactions": outcome["interactions"],
            "shells_lost": len(outcome["shells_lost"]),
            "contained": outcome["contained"],
        }
        if not outcome["files"]:
            metadata["failure"] = "missing_change" if outcome["completed"] else "never_finished"
            state.store.set(FINDING_KEY, metadata)
            return Score(value=INCORRECT, explanation=NO_OUTPUTS, metadata=metadata | epoch)
        try:
            report = await evaluate(state.metadata["world"], str(state.sample_id), outcome["files"])
        except EngineError as ex:
            state.store.set(FAILURE_KEY, str(ex))
            return Score(value=math.nan, explanation=f"Not scored, the evaluation failed: {ex}")
        metadata |= {"failure": failure_of(report, outcome["completed"]), "tests": _tests(report)}
        state.store.set(FINDING_KEY, metadata)
        return Score(
            value=CORRECT if report["success"] else INCORRECT,
            explanation=_explained(report, outcome),
            metadata=metadata | epoch,
        )

    return score


def failure_of(report: dict[str, Any], completed: bool) -> str | None:
    """The kind of failure, of FAILURES; None for a success.

    By what the engine says of failed tests: an answer's test; tests that hold before anything is done
    (no_op_pass), which only a change can break; and, where a test compares exact sets of changes, whether
    there are too many or too few. A sample with too few counts as a missing change, whatever else it did.
    """
    if report["success"]:
        return None
    if not completed:
        return "never_finished"
    failed = report["failures"]
    if any("answer" in test["requirement"].lower() for test in failed):
        return "wrong_answer"
    traces = [test.get("trace") or "" for test in failed]
    too_few = any(_TOO_FEW in trace for trace in traces)
    too_many = any(_TOO_MANY in trace for trace in traces)
    broken = any(test["label"] == "no_op_pass" for test in failed)
    return "collateral_damage" if (too_many or broken) and not too_few else "missing_change"


@scorer(metrics={"*": [mean()]})
def appworld_counts() -> Scorer:
    """Interactions, and one share for each kind of failure; after `appworld_verdict`, whose finding it needs.

    A sample that was not scored has nan everywhere.
    """

    async def score(state: TaskState, target: Target) -> Score:
        found = state.store.get(FINDING_KEY)
        if found is None:
            return Score(value=dict.fromkeys(("interactions", *FAILURES), math.nan))
        kinds = {kind: float(found["failure"] == kind) for kind in FAILURES}
        return Score(value={"interactions": float(found["interactions"]), **kinds})

    return score


def _tests(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Each test's requirement, label and verdict."""
    return [
        {"requirement": test["requirement"], "label": test["label"], "passed": passed}
        for passed, tests in ((True, report["passes"]), (False, report["failures"]))
        for test in tests
    ]


def _explained(report: dict[str, Any], outcome: dict[str, Any]) -> str:
    failed = [
        f"FAILED {test['requirement']}\n{(test.get('trace') or '')[:MAX_TRACE]}"
        for test in report["failures"]
    ]
    passed = f"{len(report['passes'])} of {report['num_tests']} tests passed."
    ending = "" if outcome["completed"] else " The task was never submitted."
    return "\n\n".join([passed + ending, *failed])
