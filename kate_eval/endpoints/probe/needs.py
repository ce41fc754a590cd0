"""What a solver needs of an endpoint, as data, and the verdict that findings give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kate_eval.endpoints.probe.findings import Findings


@dataclass(frozen=True)
class Need:
    """One thing that a solver asks of an endpoint."""

    check: str
    """The finding that must not be "no"."""
    without: str
    """What happens where the endpoint lacks it."""
    must: bool = False
    """The solver can't work without; else it works, with that consequence."""
    tools: bool = False
    """Only where tools are offered: a task in prompting mode, or one of code in text, offers none."""


@dataclass(frozen=True)
class Verdict:
    """Whether a solver can work."""

    state: Literal["ready", "works", "unsure", "lacks"]
    lines: tuple[str, ...] = ()
    """What it lacks, what to know, and what would change it."""


PRESENT = (
    Need("server", "no request is answered", must=True),
    Need("model", "no request is answered", must=True),
)
"""What whoever asks a model needs."""


def verdict(needs: Sequence[Need], findings: Findings) -> Verdict:
    """What the findings say about a solver's needs."""
    lacking = [need for need in needs if (f := findings.get(need.check)) and f.state == "no"]
    stops = [need for need in lacking if need.must]
    open_ = [need.check for need in needs if need.must and _unsure(need, findings)]
    lines = [_line(need, findings) for need in (stops or lacking)]
    if stops:
        return Verdict("lacks", tuple(lines))
    if open_:
        lines.append(f"can't tell: {', '.join(open_)}")
    if _answered_nothing(needs, findings):
        lines.append("Probe again, or give each check more time: --seconds 60")
        return Verdict("unsure", tuple(lines))
    return Verdict("works" if lines else "ready", tuple(lines))


def _answered_nothing(needs: Sequence[Need], findings: Findings) -> bool:
    """Whether nothing that must be known, beside that a server is there, could be told in either way."""
    asked = [need for need in needs if need.must and need not in PRESENT]
    arrived = any(found.state == "yes" for name, found in findings.items() if name.startswith("Inspect: "))
    return not arrived and bool(asked) and all(_unsure(need, findings) for need in asked)


def _unsure(need: Need, findings: Findings) -> bool:
    finding = findings.get(need.check)
    return finding is None or finding.state == "unsure"


def _line(need: Need, findings: Findings) -> str:
    finding = findings[need.check]
    text = f"{need.check}: {finding.says}; {need.without}"
    if need.must and finding.evidence:
        text += f" ({finding.evidence})"
    return f"{text}. {finding.remedy}" if finding.remedy else text
