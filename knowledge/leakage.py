"""The leak guard: a bank must not hold the entry under evaluation, nor a sibling of it."""

from collections.abc import Set

from kate_eval.errors import LeakageError
from kate_eval.knowledge.bank import Bank


def leaked(bank: Bank, related: Set[str]) -> list[str]:
    """Sources of the bank that share the scenario of the entry under evaluation."""
    return sorted(bank.sources & related)


def guard(bank: Bank, entry_id: str, related: Set[str]) -> None:
    """Refuse to evaluate an entry with knowledge of it.

    Raises:
        LeakageError: the bank was built from the entry or from one that varies the same scenario.
    """
    found = leaked(bank, related)
    if found:
        raise LeakageError(
            f"{entry_id} can't be evaluated with this bank: it was built from {', '.join(found)}, the same "
            "scenario. Evaluate another split (-T split=...), name another bank (-S bank=...), or run it "
            "marked as leaked: -S allow_leakage=true"
        )
