"""Rewards: pure functions from what a rollout did to a number. They know no trainer and no engine."""

from kate_eval.trainers.rewards.findings import EngineTest, Findings, Level, Reward
from kate_eval.trainers.rewards.registry import DEFAULT, REWARDS, Rule, find_reward

__all__ = ["DEFAULT", "REWARDS", "EngineTest", "Findings", "Level", "Reward", "Rule", "find_reward"]
