"""Scoring a checkpoint: it is served, plays the benchmarks beside its base, and its card gets the scores."""
