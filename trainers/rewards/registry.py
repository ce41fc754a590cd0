"""The rewards by name, and how one is asked."""

import math
from dataclasses import dataclass

from kate_eval.errors import TrainingError, unknown
from kate_eval.trainers.rewards.episode import episode
from kate_eval.trainers.rewards.findings import Findings, Level, Reward, RewardFunction
from kate_eval.trainers.rewards.step import step_exact, step_partial
from kate_eval.trainers.rewards.turn import turn_state


@dataclass(frozen=True)
class Rule:
    """A reward under its name, with the level that it is for."""

    name: str
    level: Level
    function: RewardFunction

    def __call__(self, row: str, found: Findings) -> Reward:
        """The reward of a rollout from this row.

        Raises:
            TrainingError: the function raised, or gave no number from 0 to 1. It is never a zero.
        """
        try:
            reward = self.function(found)
        except Exception as ex:  # a user's own function may raise anything
            raise TrainingError(f"Reward {self.name} failed on row {row}: {ex!r}") from ex
        if not isinstance(reward, Reward) or not math.isfinite(reward.value) or not 0 <= reward.value <= 1:
            raise TrainingError(
                f"Reward {self.name} gave {reward!r} for row {row}; it must be a Reward from 0 to 1"
            )
        return reward


DEFAULT = "turn_state"
REWARDS: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("step_exact", "step", step_exact),
        Rule("step_partial", "step", step_partial),
        Rule(DEFAULT, "turn", turn_state),
        Rule("episode", "episode", episode),
    )
}


def find_reward(name: str) -> Rule:
    """The reward of this name.

    Raises:
        ConfigurationError: there is none.
    """
    if name not in REWARDS:
        raise unknown("reward", name, REWARDS)
    return REWARDS[name]
