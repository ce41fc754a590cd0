"""The simulated model on BFCL: tool calls, turn by turn."""
