"""The probe's answer for people (rich tables) and for programs (JSON)."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.markup import escape
from rich.table import Table

from kate_eval.endpoints.probe.findings import Findings
from kate_eval.endpoints.probe.needs import Verdict

MARKS = {"yes": "[green]yes[/]", "no": "[red]no[/]", "unsure": "[yellow]?[/]"}
STATES = {
    "ready": "[green]ready[/]",
    "works": "[yellow]works, note[/]",
    "unsure": "[yellow]can't tell[/]",
    "lacks": "[red]lacks[/]",
}
EVIDENCE = 160
"""Characters of evidence in a cell."""


def findings_table(title: str, findings: Findings) -> Table:
    """A row for each check."""
    table = Table(title=escape(title), title_justify="left")
    table.add_column("check", no_wrap=True)
    table.add_column("")
    table.add_column("finding", ratio=2)
    table.add_column("evidence", ratio=3)
    told: set[str] = set()
    for finding in findings.values():
        new = finding.remedy and finding.remedy not in told
        told.add(finding.remedy)
        says = f"{finding.says}. {finding.remedy}" if new else finding.says
        evidence = " ".join(finding.evidence.split())[:EVIDENCE]
        table.add_row(finding.check, MARKS[finding.state], escape(says), escape(evidence))
    return table


def verdicts_table(verdicts: Mapping[str, Verdict]) -> Table:
    """A row for each verdict, with the solvers that have it."""
    table = Table(title="Solvers", title_justify="left")
    table.add_column("solvers")
    table.add_column("verdict", no_wrap=True)
    table.add_column("")
    alike: dict[Verdict, list[str]] = {}
    for name, found in verdicts.items():
        alike.setdefault(found, []).append(name)
    for found, names in alike.items():
        table.add_row(", ".join(names), STATES[found.state], escape("\n".join(found.lines)))
    return table


def as_data(
    model: str, seconds: float, findings: Findings, verdicts: Mapping[str, Verdict]
) -> dict[str, Any]:
    """Everything as JSON data."""
    return {
        "model": model,
        "seconds": round(seconds, 2),
        "findings": [asdict(finding) for finding in findings.values()],
        "solvers": {name: asdict(found) for name, found in verdicts.items()},
    }
