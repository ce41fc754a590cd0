"""Model endpoints of our own; now one: the simulated endpoint."""
