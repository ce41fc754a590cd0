"""Whether a sample was scored, and with which value: the one rule of the report, grids and comparisons."""

import math

from inspect_ai.log import EvalSample, EvalSampleSummary
from inspect_ai.scorer import CORRECT

from kate_eval.stats import Observed


def observed(sample: EvalSample | EvalSampleSummary, scorer: str) -> Observed | None:
    """The scorer's verdict as 0 or 1, with the sample's place; None where it failed or was not scored.

    Args:
        sample: of one of our tasks.
        scorer: the benchmark's.

    Raises:
        KeyError: it was scored, and is of no category or cluster.
    """
    verdict = (sample.scores or {}).get(scorer)
    if verdict is None or sample.error or (isinstance(verdict.value, float) and math.isnan(verdict.value)):
        return None
    told = sample.metadata
    return Observed(
        1.0 if verdict.value in (CORRECT, 1) else 0.0,
        told["category"],
        told["cluster"],
        str(sample.id),
        int(told.get("variants") or 0),
        sample.epoch,
    )
