"""Rewards by name; one that fails is an error that names the row, never a zero."""

import math

import pytest

from kate_eval.errors import ConfigurationError, TrainingError
from kate_eval.trainers.rewards import REWARDS, Findings, Reward, Rule, find_reward

FOUND = Findings(())


def test_each_has_its_level() -> None:
    levels = {"step_exact": "step", "step_partial": "step", "turn_state": "turn", "episode": "episode"}
    assert {name: rule.level for name, rule in REWARDS.items()} == levels


def test_another_name_lists_them() -> None:
    with pytest.raises(ConfigurationError, match=r"reward 'x'.*episode, step_exact, step_partial"):
        find_reward("x")


def test_one_that_raises_names_the_row() -> None:
    def broken(found: Findings) -> Reward:
        raise KeyError("gone")

    with pytest.raises(TrainingError, match=r"Reward mine failed on row e/0/0/step: KeyError\('gone'\)"):
        Rule("mine", "step", broken)("e/0/0/step", FOUND)


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.1])
def test_one_outside_its_range_is_an_error(value: float) -> None:
    with pytest.raises(TrainingError, match="row e/0"):
        Rule("mine", "step", lambda found: Reward(value))("e/0", FOUND)
