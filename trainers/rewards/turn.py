"""The reward of one user turn, from gold's state before it."""

from collections import Counter

from kate_eval.trainers.rewards.findings import Findings, Reward
from kate_eval.trainers.rewards.step import recall

VERDICT, RECALL = 0.7, 0.3
LOOKS = 2
"""Calls beyond gold's that cost nothing, on top of as many as gold has: looking around is honest."""
EXTRA, MAX_EXTRA = 0.02, 0.2
"""Cost of each call beyond that, of each that repeats another, and of all of them: a flood must not pay."""


def turn_state(found: Findings) -> Reward:
    """0.7 for the official check of state and responses, 0.3 for the share of gold's calls, less for a flood.

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
    cost = min(MAX_EXTRA, EXTRA * _needless(found))
    value = max(0.0, VERDICT * verdict + RECALL * share - cost)
    return Reward(value, {"verdict": verdict, "recall": share, "needless": -cost})


def _needless(found: Findings) -> int:
    """Calls beyond what an honest turn takes: too many of them, and the same ones more often than gold."""
    beyond = max(0, len(found.calls) - 2 * len(found.gold) - LOOKS)
    made, wanted = (Counter(call.key for call in calls) for calls in (found.calls, found.gold))
    return beyond + sum(count - max(1, wanted[key]) for key, count in made.items())
