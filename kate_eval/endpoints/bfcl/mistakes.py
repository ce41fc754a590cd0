"""The mistakes of the simulated model: each kind turns the right step into a plausible wrong one.

They are diverse (see also values.py), so that independent draws rarely agree on the same mistake.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from kate_eval.endpoints.bfcl.script import Pool, Script
from kate_eval.endpoints.bfcl.values import distorted, invented_arguments
from kate_eval.endpoints.draws import drawn_mistake
from kate_eval.endpoints.profiles import MistakeKind
from kate_eval.episode import Call


@dataclass(frozen=True)
class Answer:
    """What the simulated model says: calls, or (with none) a reply; or calls nobody can parse."""

    calls: tuple[Call, ...] = ()
    reply: str = ""
    malformed: bool = False


@dataclass(frozen=True)
class Step:
    """The step at hand.

    Attributes:
        right: the calls of a right answer; empty where a reply is right.
        following: the turn's gold calls after those.
        offered: the functions that can be called, sorted.
        closing: the reply that ends the turn where a reply is right.
    """

    script: Script
    pool: Pool
    right: tuple[Call, ...]
    following: tuple[Call, ...]
    offered: tuple[str, ...]
    closing: str


STOPPED = Answer(reply="I believe that is everything for now; this reply is simulated.")


def mistake(step: Step, weights: Sequence[tuple[MistakeKind, float]], rng: Random) -> Answer:
    """Draw a wrong answer. Kinds that don't apply to the step are passed over; the last resort is to stop."""
    found = drawn_mistake(KINDS, step, weights, rng)
    if found is not None:
        return found
    return STOPPED if step.right else Answer((hallucinated_call(Call("lookup", {}), step.offered, rng),))


def _wrong_value(step: Step, rng: Random) -> Answer | None:
    if not step.right:
        return None
    at = rng.randrange(len(step.right))
    wrong = distorted(step.right[at], step.script.docs.get(step.right[at].name), step.pool, rng)
    return None if wrong is None else Answer((*step.right[:at], wrong, *step.right[at + 1 :]))


def _omitted(step: Step, rng: Random) -> Answer | None:
    if not step.right:
        return None
    at = rng.randrange(len(step.right))
    left = step.right[:at] + step.right[at + 1 :] or step.following[:1]
    return Answer(left) if left and left[0].name in step.offered else None


def _extra(step: Step, rng: Random) -> Answer | None:
    call = other_call(step, rng)
    if call is None:
        return None
    return Answer((call,) if step.script.entry.multi_turn else (*step.right, call))


def _hallucinated(step: Step, rng: Random) -> Answer | None:
    model = step.right[0] if step.right else other_call(step, rng)
    if model is None:
        return None
    return Answer((hallucinated_call(model, step.offered, rng), *step.right[1:]))


def _early_stop(step: Step, rng: Random) -> Answer | None:
    return STOPPED if step.right else None


def _malformed(step: Step, rng: Random) -> Answer | None:
    calls = step.right or tuple(filter(None, (other_call(step, rng),)))
    return Answer(calls, malformed=True) if calls else None


KINDS: dict[MistakeKind, Callable[[Step, Random], Answer | None]] = {
    "wrong_value": _wrong_value,
    "omitted": _omitted,
    "extra": _extra,
    "hallucinated": _hallucinated,
    "early_stop": _early_stop,
    "malformed": _malformed,
}


def hallucinated_call(model: Call, offered: Sequence[str], rng: Random) -> Call:
    """The call under a name that sounds right but is not offered."""
    stem = model.name.rpartition(".")[2]
    names = [f"get_{stem}", f"{stem}_info", f"do_{stem}", f"{stem}_by_name", f"run_{stem}", f"{stem}s"]
    return replace(model, name=rng.choice([name for name in names if name not in offered]))


def other_call(step: Step, rng: Random) -> Call | None:
    """A call to some offered function that the turn doesn't ask for; None if nothing is offered."""
    if not step.offered:
        return None
    asked = {call.key for call in (*step.right, *step.following)}
    name = rng.choice(step.offered)
    seen = [call for call in step.pool.calls.get(name, ()) if call.key not in asked]
    if seen:
        return rng.choice(seen)
    doc = step.script.docs.get(name)
    invented = Call(name, invented_arguments(doc, rng) if doc else {})
    return None if invented.key in asked else invented
