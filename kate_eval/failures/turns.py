"""Why a multi-turn BFCL sample failed: the first turn that the checkers reject, or what broke it off."""

from kate_eval.bfcl import engine
from kate_eval.bfcl.checker import decode_step, first_fault
from kate_eval.bfcl.data import Entry
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.failures.alignment import Made
from kate_eval.failures.cause import Cause
from kate_eval.failures.replay import SECONDS
from kate_eval.failures.rules import TurnRules
from kate_eval.failures.shape import MAX_CALLS, Played


def multi_turn_cause(entry: Entry, played: Played, limit: str) -> Cause:
    """The cause of a failed multi-turn sample.

    Args:
        entry: the benchmark entry.
        played: its outcome.
        limit: the limit of the run that ended the sample; "" for none.
    """
    made = [
        [Made(call, step) for step, said in enumerate(turn) for call in decode_step(said, played.mode)]
        for turn in played.result
    ]
    if sum(map(len, made)) > MAX_CALLS:
        return Cause("unexplained", None, None, f"more than {MAX_CALLS} calls were made")
    try:
        fault = first_fault(entry, played.result, played.mode, SECONDS)
        last = len(played.result) - 1
        if (fault is None or fault[0] == last) and _unfinished(played):
            return _step_limit(played, limit)
        if fault is None:
            return _unfaulted(len(played.result), len(entry.gold), limit)
        found = TurnRules(entry, multi_turn_gold(entry), played, made, fault[0]).cause()
        # The message begins with the turn, counted from 0.
        return found or Cause(
            "unexplained", fault[0], None, fault[1].message.partition(": ")[2] or fault[1].message
        )
    except TimeoutError as ex:
        return Cause("unexplained", None, None, f"it could not be played again: {ex}")


def _unfinished(played: Played) -> bool:
    """Whether the last turn was broken off: a turn ends on an answer without calls."""
    if not played.result or not played.result[-1]:
        return True
    return bool(decode_step(played.result[-1][-1], played.mode))


def _step_limit(played: Played, limit: str) -> Cause:
    turn = max(0, len(played.result) - 1)
    steps = len(played.result[-1]) if played.result else 0
    most = steps > engine.official().max_steps
    ended_by = f"after {steps} steps" if most else f"by {limit or 'a limit of the run'}"
    return Cause("step_limit", turn, max(0, steps - 1), f"the turn was broken off {ended_by}")


def _unfaulted(turns: int, asked: int, limit: str) -> Cause:
    """Nothing in the turns that were played is wrong, yet the log says that the sample failed."""
    if turns < asked:
        return Cause(
            "step_limit", turns - 1, None, f"{turns} of {asked} turns: {limit or 'a limit of the run'}"
        )
    if turns > asked:
        return Cause("unreadable", None, None, f"{turns} turns were played; the entry has {asked}")
    return Cause("unreadable", None, None, "the log says it failed; the checkers accept what it holds")
