"""Model servers of our own: vLLM in an environment of its own, `kate serve` and `serving(...)`."""
