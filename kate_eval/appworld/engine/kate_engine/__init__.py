"""What runs in the engine's own environment (pydantic 1): workers, evaluation, the mini world."""
