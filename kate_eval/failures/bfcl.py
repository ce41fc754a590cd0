"""BFCL's samples: what a log holds of one, handed to the rules for its kind of entry."""

from inspect_ai.log import EvalSample

from kate_eval.bfcl import engine
from kate_eval.bfcl.data import load_entry
from kate_eval.episode import LIMIT_KEY, OUTCOME_KEY
from kate_eval.failures.cause import Cause
from kate_eval.failures.shape import played
from kate_eval.failures.single import single_turn_cause
from kate_eval.failures.turns import multi_turn_cause


def bfcl_cause(sample: EvalSample) -> Cause:
    """The cause of a failed sample.

    Raises:
        DatasetError: bfcl-eval is not installed, or has no such entry.
        ShapeError: the log holds no outcome of ours.
    """
    engine.require()
    entry = load_entry(str(sample.id))
    found = played(sample.store.get(OUTCOME_KEY), entry.multi_turn)
    if entry.multi_turn:
        return multi_turn_cause(entry, found, limit_of(sample))
    return single_turn_cause(entry, found)


def limit_of(sample: EvalSample) -> str:
    """The limit of the run that ended a sample, in words; "" for none."""
    if sample.limit is not None:
        return f"the run's limit of {sample.limit.type} ({sample.limit.limit:g})"
    return "a limit of the run" if sample.store.get(LIMIT_KEY) else ""
