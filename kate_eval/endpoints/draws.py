"""What every simulated policy draws by: a step's difficulty, what eases it, and the kind of mistake."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeVar

from kate_eval.endpoints.profiles import MistakeKind

StepT = TypeVar("StepT")
AnswerT = TypeVar("AnswerT")


def difficulty(mean: float, concentration: float, seed: str) -> float:
    """The probability that a draw at this step is right: drawn once from a Beta distribution."""
    if mean in (0.0, 1.0):
        return mean
    return Random(f"{seed}|difficulty").betavariate(mean * concentration, (1 - mean) * concentration)


def gain(skill: float, skill_with_experience: float) -> float:
    """The share of mistakes that experience avoids: lifts the mean from the one to the other."""
    return (skill_with_experience - skill) / (1 - skill) if skill < 1 else 0.0


def less_wrong(odds: float, share: float) -> float:
    """The odds when this share of mistakes is avoided."""
    return odds + (1 - odds) * share


def drawn_mistake(
    kinds: Mapping[MistakeKind, Callable[[StepT, Random], AnswerT | None]],
    step: StepT,
    weights: Sequence[tuple[MistakeKind, float]],
    rng: Random,
) -> AnswerT | None:
    """A wrong answer by the kinds' weights; kinds that don't apply are passed over; None if none applies."""
    left = list(weights)
    while left:
        kind = rng.choices([kind for kind, _ in left], [weight for _, weight in left])[0]
        found = kinds[kind](step, rng)
        if found is not None:
            return found
        left = [(other, weight) for other, weight in left if other != kind]
    return None
