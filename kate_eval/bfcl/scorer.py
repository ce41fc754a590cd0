"""The scorer of the BFCL task: the official verdict on what the episode recorded.

A sample whose solver failed is not scored (nan: Inspect counts it as unscored and leaves it out of the
metrics; `run_counters` reports the share as `errored`); a sample stopped by a limit is, as it stands.
"""

import math

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

from kate_eval.bfcl import data
from kate_eval.bfcl.checker import check
from kate_eval.bfcl.metrics import bfcl_v3
from kate_eval.episode import settle


@scorer(
    metrics=[
        accuracy(),
        stderr(cluster="cluster"),
        bfcl_v3(),
        grouped(accuracy(), "category", all=False),
        grouped(stderr(cluster="cluster"), "category", all=False, name_template="{group_name}_stderr"),
    ]
)
def bfcl_verdict() -> Scorer:
    """Whether the official checkers accept the entry's result; the result itself stays in the store."""

    async def score(state: TaskState, target: Target) -> Score:
        outcome, failure = await settle(state)
        if outcome is None or failure is not None:
            return Score(value=math.nan, explanation=f"Not scored, the sample failed: {failure}")
        entry = data.load_entry(str(state.sample_id))
        verdict = check(entry, outcome["result"], outcome["mode"])
        return Score(
            value=CORRECT if verdict.correct else INCORRECT,
            explanation=f"{verdict.error_type} {verdict.message}".strip() or "correct",
            metadata={"error_type": verdict.error_type},
        )

    return score
