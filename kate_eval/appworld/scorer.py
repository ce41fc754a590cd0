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
    scorer,
    stderr,
)
from inspect_ai.solver import TaskState

from kate_eval.appworld.metrics import appworld_metrics
from kate_eval.appworld.sessions import evaluate
from kate_eval.episode import settle

LAYERS = ("rlimits", "landlock", "seccomp", "no_capabilities")
"""What contains a model's code where the system has it all; the log says what held."""
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
        metadata: dict[str, Any] = {
            "interactions": outcome["interactions"],
            "shells_lost": len(outcome["shells_lost"]),
            "contained": outcome["contained"],
        }
        if not outcome["files"]:
            metadata["failure"] = "never_finished"
            return Score(value=INCORRECT, explanation="The task left no outputs.", metadata=metadata)
        report = await evaluate(state.metadata["world"], str(state.sample_id), outcome["files"])
        metadata |= {"failure": failure_of(report, outcome["completed"]), "report": report}
        return Score(
            value=CORRECT if report["success"] else INCORRECT,
            explanation=_explained(report, outcome),
            metadata=metadata,
        )

    return score


def failure_of(report: dict[str, Any], completed: bool) -> str | None:
    """The kind of failure, of FAILURES, by the engine's labels; None for a success.

    A test labelled no_op_pass holds before anything is done, so that only a change can break it. Tests of
    the exact set of changes are labelled no_op_fail: with them alone, too much and too little look alike,
    and count as a missing change.
    """
    if report["success"]:
        return None
    if not completed:
        return "never_finished"
    failed = report["failures"]
    if any("answer" in test["requirement"].lower() for test in failed):
        return "wrong_answer"
    if any(test["label"] == "no_op_pass" for test in failed):
        return "collateral_damage"
    return "missing_change"


def _explained(report: dict[str, Any], outcome: dict[str, Any]) -> str:
    failed = [f"FAILED {test['requirement']}\n{test.get('trace', '')}" for test in report["failures"]]
    passed = f"{len(report['passes'])} of {report['num_tests']} tests passed."
    ending = "" if outcome["completed"] else " The task was never submitted."
    return "\n\n".join([passed + ending, *failed])
