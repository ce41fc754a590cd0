"""Findings: what a check saw at an endpoint, with its evidence and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["yes", "no", "unsure"]


@dataclass(frozen=True)
class Finding:
    """What one check saw."""

    check: str
    state: State
    """unsure: the check could not tell, and nothing may be concluded from it."""
    says: str
    evidence: str = ""
    remedy: str = ""
    """The line that would change it."""


Findings = dict[str, Finding]
"""By the name of the check."""


def yes(check: str, says: str, evidence: str = "") -> Finding:
    """The endpoint does it."""
    return Finding(check, "yes", says, evidence)


def no(check: str, says: str, evidence: str = "", remedy: str = "") -> Finding:
    """The endpoint does not do it."""
    return Finding(check, "no", says, evidence, remedy)


def unsure(check: str, says: str, evidence: str = "") -> Finding:
    """It can't be told."""
    return Finding(check, "unsure", says, evidence)


def by_check(found: Iterable[Finding]) -> Findings:
    """Findings by the name of their check."""
    return {finding.check: finding for finding in found}
