"""Model endpoints: the simulated one, the provider kate/ (openai), our servers (serve), the probe of any."""
