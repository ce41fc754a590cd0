"""Rollouts in the real environments: rows to begin from, token ids with their mask. They know no engine."""

from kate_eval.trainers.rollout.bounds import Bounds
from kate_eval.trainers.rollout.play import Player, open_start
from kate_eval.trainers.rollout.policy import Policy, Sampled
from kate_eval.trainers.rollout.rollout import Played, Rollout
from kate_eval.trainers.rollout.tape import Rendering, Segment

__all__ = ["Bounds", "Played", "Player", "Policy", "Rendering", "Rollout", "Sampled", "Segment", "open_start"]
