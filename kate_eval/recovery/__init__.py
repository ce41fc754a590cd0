"""Recovery of tool calls that a server's own parser left unread: from text to calls, as data."""

from kate_eval.recovery.message import WRITTEN, Recovered, recover

__all__ = ["WRITTEN", "Recovered", "recover"]
