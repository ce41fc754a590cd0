"""The simulated model on AppWorld: blocks of code, one a step."""
