"""Reinforcement learning on rollouts in the real environments, by TRL's GRPOTrainer."""
