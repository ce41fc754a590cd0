"""From a sample of a log to its cause. What a log holds is anybody's: nothing in it raises."""

import logging
import math
from collections.abc import Callable, Mapping

from inspect_ai.log import EvalSample
from inspect_ai.scorer import CORRECT

from kate_eval.appworld import places
from kate_eval.bfcl import engine
from kate_eval.episode import FAILURE_KEY, SAMPLE_KEY
from kate_eval.errors import DatasetError
from kate_eval.failures.appworld import appworld_cause
from kate_eval.failures.bfcl import bfcl_cause
from kate_eval.failures.cause import Cause
from kate_eval.failures.shape import ShapeError

logger = logging.getLogger(__name__)

_APPWORLD = ("appworld_verdict", appworld_cause)
_KNOWN: dict[str, tuple[str, Callable[[EvalSample], Cause]]] = {
    "bfcl": ("bfcl_verdict", bfcl_cause),
    **dict.fromkeys(places.BENCHMARKS.values(), _APPWORLD),
}
"""Benchmark, as the sample's store names it -> its scorer, and who knows its failures."""


def cause_of(sample: EvalSample) -> Cause | None:
    """Why a sample failed; None if it passed.

    Args:
        sample: with its scores and store; of AppWorld with its messages too.

    Raises:
        DatasetError: bfcl-eval is not installed.
    """
    if sample.error is not None:
        return Cause("environment_error", None, None, sample.error.message)
    benchmark = _benchmark(sample)
    if benchmark not in _KNOWN:
        return Cause("unreadable", None, None, f"no sample of our tasks: its benchmark is {benchmark!r}")
    scorer, find = _KNOWN[benchmark]
    unscored = _unscored(sample, scorer)
    if unscored:
        return Cause("environment_error", None, None, unscored)
    if (sample.scores or {})[scorer].value in (CORRECT, 1):
        return None
    engine.require()
    try:
        return find(sample)
    except (ShapeError, DatasetError) as ex:
        return Cause("unreadable", None, None, str(ex))
    except Exception as ex:  # a log may hold anything; one sample must not cost the others
        logger.warning("No cause found of sample %s, epoch %s", sample.id, sample.epoch, exc_info=True)
        return Cause("unreadable", None, None, f"{type(ex).__name__}: {ex}")


def _benchmark(sample: EvalSample) -> str:
    told = sample.store.get(SAMPLE_KEY)
    return str(told.get("benchmark"))[:40] if isinstance(told, Mapping) else "not told"


def _unscored(sample: EvalSample, scorer: str) -> str:
    """Why there is no verdict; "" if there is one."""
    failure = sample.store.get(FAILURE_KEY)
    if failure is not None:
        return str(failure)
    verdict = (sample.scores or {}).get(scorer)
    if verdict is None:
        return f"not scored by {scorer}"
    if isinstance(verdict.value, float) and math.isnan(verdict.value):
        return verdict.explanation or "not scored"
    return ""
