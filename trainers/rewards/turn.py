"""The reward of one user turn, from gold's state before it."""

from kate_eval.trainers.rewards.findings import Findings, Reward
from kate_eval.trainers.rewards.step import recall

VERDICT, RECALL = 0.7, 0.3
LOOKS = 2
"""Calls beyond gold's that cost nothing, on top of as many as gold has: looking around is honest."""
EXTRA, MAX_EXTRA = 0.02, 0.2
"""Cost of each call beyond that, and of all of them: a flood must not pay."""


def turn_state(found: Findings) -> Reward:
    """0.7 for the official check of state and responses, 0.3 for the share of gold's calls.

    Where gold calls nothing (a parameter or a function is missing), the turn is right only if nothing is
    called and something is said: the official check looks at no such turn.

    Raises:
        ValueError: there is no verdict.
    """
    if not found.gold:
        right = float(found.only_replied)
        return Reward(right, {"reply": right})
    if found.accepted is None:
        raise ValueError("the turn has no official verdict; turn_state is for BFCL's turns")
    verdict, share = float(found.accepted), recall(found.gold, found.calls)
    cost = _cost(len(found.calls), len(found.gold))
    value = max(0.0, VERDICT * verdict + RECALL * share - cost)
    return Reward(value, {"verdict": verdict, "recall": share, "extra": -cost})


def _cost(calls: int, gold: int) -> float:
    return min(MAX_EXTRA, EXTRA * max(0, calls - 2 * gold - LOOKS))
