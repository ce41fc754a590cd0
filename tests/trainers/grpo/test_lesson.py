"""What a run that learnt nothing says of itself."""

import pytest

from kate_eval.trainers.checkpoint import Curves
from kate_eval.trainers.grpo.lesson import doubts


def curves(equal: float, truncated: float, reward: float) -> Curves:
    """Of a run of two steps."""
    found = {"frac_reward_zero_std": equal, "rollouts/truncated": truncated, "reward": reward}
    return {name: [(1, value), (2, value)] for name, value in found.items()}


def said(equal: float, truncated: float, reward: float, name: str = "turn_state") -> list[str]:
    return list(doubts(curves(equal, truncated, reward), name, masked=True))


def test_a_run_that_learns_says_nothing() -> None:
    assert said(0.5, 0.1, 0.4) == [] and list(doubts({}, "turn_state", masked=True)) == []


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("turn_state", "Take an easier --reward (step_partial), more --generations, a higher --temperature"),
        ("step_partial", "Take more --generations, a higher --temperature"),
    ],
)
def test_equal_rewards_are_said_with_what_to_change(name: str, remedy: str) -> None:
    [doubt] = said(0.95, 0.0, 0.02, name)
    assert doubt.startswith("In 95% of the groups all rollouts had the same reward") and remedy in doubt


def test_solved_rows_need_no_easier_reward() -> None:
    [doubt] = said(1.0, 0.0, 1.0)
    assert "solved already" in doubt and "easier" not in doubt


def test_rollouts_that_were_cut_off_are_said() -> None:
    [doubt] = said(0.0, 0.75, 0.3)
    assert "A bound cut off 75% of the rollouts, which are left out of the loss" in doubt
    assert "--completion-tokens" in doubt
