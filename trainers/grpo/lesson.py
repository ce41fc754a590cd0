"""Whether a run's rollouts taught anything: said at its end, since the loss alone does not tell."""

from collections.abc import Iterator
from statistics import fmean

from kate_eval.trainers.checkpoint import Curves

EQUAL = "frac_reward_zero_std"
"""TRL's name for the share of groups whose rollouts all have one reward."""
TRUNCATED = "rollouts/truncated"
NEARLY_ALL = 0.9
"""Share of groups with equal rewards from which on a run is said to have learnt nothing."""
MOST = 0.5
"""Share of rollouts that a bound cut off from which on it is said."""
SOLVED = 0.9
"""Mean reward from which on equal rewards mean that there was nothing left to learn."""


def doubts(curves: Curves, reward: str, masked: bool) -> Iterator[str]:
    """What makes it doubtful that a run learnt anything, each with what to change; none if nothing does.

    Args:
        curves: of the run.
        reward: its name.
        masked: whether rollouts that were cut off were left out of the loss.
    """
    equal, truncated = _mean(curves, EQUAL), _mean(curves, TRUNCATED)
    if equal >= NEARLY_ALL:
        yield (
            f"In {equal:.0%} of the groups all rollouts had the same reward, and such a group teaches "
            f"nothing: {_spread(_mean(curves, 'reward'), reward)}"
        )
    if truncated >= MOST:
        left_out = ", which are left out of the loss" if masked else ""
        yield (
            f"A bound cut off {truncated:.0%} of the rollouts{left_out}: give more room "
            "(--completion-tokens, --answer-tokens, --context-tokens, --max-answers), or begin from a model "
            "that ends its answers (kate train sft). kate train rollouts says which bound it was"
        )


def _spread(mean: float, reward: str) -> str:
    """What makes rewards of a group differ."""
    if mean >= SOLVED:
        return f"the rows are solved already (mean reward {mean:.2f}). Take harder rows, or another --reward"
    easier = "" if reward == "step_partial" else "an easier --reward (step_partial), "
    return (
        f"the mean reward was {mean:.2f}. Take {easier}more --generations, a higher --temperature, or begin "
        "from a model that was fine-tuned (kate train sft)"
    )


def _mean(curves: Curves, name: str) -> float:
    values = [value for _, value in curves.get(name, ())]
    return fmean(values) if values else 0.0
