"""The scorer of the BFCL task: the official verdict on what the episode recorded.

A sample whose solver failed is not scored (nan: Inspect counts it as unscored and leaves it out of the
metrics; `run_counters` reports the share as `errored`); a sample stopped by a limit is, as it stands.
"""

import math
from contextlib import suppress

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
from kate_eval.episode import STOP_KEY, current_episode
from kate_eval.errors import EpisodeError

RESULT_KEY = "bfcl:outcome"


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
        with suppress(EpisodeError):  # scoring a log again: no episode is open, the store has its outcome
            state.store.set(RESULT_KEY, current_episode(state).outcome())
        outcome = state.store.get(RESULT_KEY)
        stopped = state.store.get(STOP_KEY)
        if outcome is None or (not outcome["over"] and stopped != "limit"):
            reason = stopped or "the solver ended before the entry was over"
            return Score(value=math.nan, explanation=f"Not scored, the sample failed: {reason}")
        entry = data.load_entry(str(state.sample_id))
        verdict = check(entry, outcome["result"], outcome["mode"])
        return Score(
            value=CORRECT if verdict.correct else INCORRECT,
            explanation=f"{verdict.error_type} {verdict.message}".strip() or "correct",
            metadata={"error_type": verdict.error_type, "stopped": stopped or ""},
        )

    return score
