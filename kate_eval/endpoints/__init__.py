"""Model endpoints: the simulated one, the provider kate/ (openai), servers of ours (serve), the probe of any."""
