"""Rewards of one step: does the answer make the calls of gold's step?

Source: KATE, section 3.4 (arXiv 2606.10875): `step_exact` is its rule. Where gold's step is a reply, any
reply without a call is right: its words are not compared.
"""

from collections.abc import Sequence

from kate_eval.appworld.decode import CodeBlock
from kate_eval.episode import Call
from kate_eval.trainers.rewards.findings import Findings, Reward

NAME, KEYS, VALUES = 0.4, 0.2, 0.4
"""Credit for a call's name, the names of its arguments, and their values."""


def step_exact(found: Findings) -> Reward:
    """1 if the calls are gold's, names and arguments, in their order; else 0."""
    if not found.gold:
        return _reply(found)
    same = not found.unreadable and [c.key for c in found.calls] == [c.key for c in found.gold]
    return Reward(float(same), {"exact": float(same)})


def step_partial(found: Findings) -> Reward:
    """Credit for calls that are nearly gold's: a warm-up for models that are seldom right.

    A call with another name has none. The sum is over the larger of both counts, so that more calls than gold
    has can only lose. A block of code is right or wrong as a whole.
    """
    if not found.gold:
        return _reply(found)
    if found.unreadable:
        return Reward(0.0, {"credit": 0.0})
    left = list(found.calls)
    credit = 0.0
    for wanted in found.gold:
        likest = max(left, key=lambda call: likeness(wanted, call), default=None)
        if likest is not None and likeness(wanted, likest):
            credit += likeness(wanted, likest)
            left.remove(likest)
    value = credit / max(len(found.gold), len(found.calls))
    return Reward(value, {"credit": credit})


def likeness(gold: Call, call: Call) -> float:
    """How far a call is gold's: from 0 to 1, which it is for equal calls only."""
    if gold.key == call.key:
        return 1.0
    if gold.name != call.name or isinstance(gold, CodeBlock):
        return 0.0
    names = {*gold.arguments, *call.arguments}
    shared = [name for name in gold.arguments if name in call.arguments]
    equal = [name for name in shared if _same(gold.arguments[name], call.arguments[name])]
    return NAME + (KEYS * len(shared) + VALUES * len(equal)) / max(1, len(names))


def _same(one: object, other: object) -> bool:
    return Call("", {"": one}).key == Call("", {"": other}).key


def _reply(found: Findings) -> Reward:
    return Reward(float(found.only_replied), {"reply": float(found.only_replied)})


def recall(gold: Sequence[Call], calls: Sequence[Call]) -> float:
    """The share of gold's calls that were made; one made once counts once. 1 where gold has none."""
    made = [call.key for call in calls]
    hits = 0
    for call in gold:
        if call.key in made:
            made.remove(call.key)
            hits += 1
    return hits / len(gold) if gold else 1.0
