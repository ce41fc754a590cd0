"""`kate knowledge audit`: how much of an evaluation set a bank already holds."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click
from rich.table import Table

from kate_eval.knowledge.commands.terminal import Folder, console
from kate_eval.report.strata import BOUNDS, DUPLICATE, NEAR, STRATA, stratum

if TYPE_CHECKING:
    from kate_eval.knowledge.audit import Audit, Finding
    from kate_eval.knowledge.bank import Bank

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
SHOWN = 160
"""Characters of a request that are printed."""
ALL = "all"
_COUNTED = ("same_question", "same_handling", "only_trivial", "same_entry")
_EXPLANATION = (
    "Entries with a turn that an item asks in the same words (same question), or handles by that turn's gold "
    "(same handling). Only trivial: nothing but a single call without arguments is the same. Same entry: "
    "items were made from the entry, or from a variant of it."
)
_MEASURES = {
    "tfidf_entries": "TF-IDF, an entry's nearest turn",
    "tfidf_turns": "TF-IDF, each turn",
    "embedder_turns": "the bank's embedder, each turn",
}


@click.command("audit")
@click.argument("bank", type=Folder)
@click.option("--against", required=True, help="bfcl:SPLIT, bfcl:SPLIT:CATEGORIES, or appworld:SPLIT.")
@click.option(
    "--worst", default=10, show_default=True, type=click.IntRange(0), help="How many pairs to show."
)
@click.option("-o", "--output", type=Folder, help="Also write everything to this file, as JSON.")
def audit(bank: Path, against: str, worst: int, output: Path | None) -> None:
    """How much of an evaluation set BANK already holds: similar requests, duplicates, the same entries."""
    from kate_eval.knowledge.audit import audit as audit_bank
    from kate_eval.knowledge.audit import evaluation_set
    from kate_eval.knowledge.folder import load_bank

    wanted = evaluation_set(against)
    held = load_bank(bank)
    with console.status(f"Comparing {len(wanted.asked)} turns with {len(held.items)} items"):
        found = anyio.run(audit_bank, held, wanted)
    counts = _counts(found)
    bounds = ", ".join(f"{name} {BOUNDS[name]}" for name in STRATA)
    console.print(_table(f"Entries of {against} by TF-IDF: {bounds}", counts, ("entries", "turns", *STRATA)))
    console.print(_table(f"Entries of {against} that the bank holds exactly", counts, _COUNTED))
    console.print(_EXPLANATION, style="dim")
    console.print(_quantile_table(found))
    for entry, sources in list(found.leaks.items())[:worst]:
        console.print(f"Same entry: {entry} is in the bank as {', '.join(sources)}")
    if found.unknown_sources:
        console.print(
            f"{found.unknown_sources} of {found.items} items don't say which entries they were made from: "
            "whether those are evaluated can't be checked."
        )
    _print_worst(found, held, worst)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(
            json.dumps(_as_json(found, held, bank), indent=1, ensure_ascii=False) + "\n", "utf-8"
        )
        console.print(f"Written: {output}")


def _counts(found: "Audit") -> dict[str, dict[str, int]]:
    """Category -> strata and kinds of overlap -> entries; and all categories together."""
    nearest = found.nearest
    of_entry: dict[str, list[Finding]] = {}
    for finding in found.findings:
        of_entry.setdefault(finding.asked.entry, []).append(finding)
    counts: dict[str, Counter[str]] = {}
    total: Counter[str] = Counter()
    for entry, findings in of_entry.items():
        seen = dict(zip(_COUNTED, _overlap(findings, entry in found.leaks), strict=True))
        row = Counter({"entries": 1, "turns": len(findings), stratum(nearest[entry]): 1, **seen})
        counts.setdefault(findings[0].asked.category, Counter()).update(row)
        total.update(row)
    names = ("entries", "turns", *STRATA, *_COUNTED)
    return {
        category: {name: int(row[name]) for name in names} for category, row in {**counts, ALL: total}.items()
    }


def _overlap(findings: Sequence["Finding"], leaked: bool) -> tuple[bool, ...]:
    """Which kinds of overlap an entry has."""
    asked = any(finding.same_question for finding in findings)
    handled = any(finding.same_handling and not finding.asked.trivial for finding in findings)
    trivial = any(finding.same_handling for finding in findings) and not handled and not asked
    return asked, handled, trivial, leaked


def _table(title: str, counts: Mapping[str, Mapping[str, int]], names: Sequence[str]) -> Table:
    table = Table(title=title)
    table.add_column("Category", overflow="fold")
    for name in names:
        table.add_column(name.replace("_", "\n").capitalize(), justify="right")
    for category, row in counts.items():
        if category != ALL or len(counts) > 2:
            table.add_row(category, *(str(row[name]) for name in names))
    return table


def _similarities(found: "Audit") -> dict[str, list[float]]:
    return {
        "tfidf_entries": list(found.nearest.values()),
        "tfidf_turns": [finding.tfidf.similarity for finding in found.findings],
        "embedder_turns": [f.embedder.similarity for f in found.findings],
    }


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    import numpy as np

    return {
        f"{level:.0%}": round(float(value), 4)
        for level, value in zip(QUANTILES, np.quantile(values, QUANTILES), strict=True)
    }


def _quantile_table(found: "Audit") -> Table:
    table = Table(title="Similarity to the nearest item, quantiles")
    table.add_column("By")
    for level in QUANTILES:
        table.add_column(f"{level:.0%}", justify="right")
    for name, values in _similarities(found).items():
        table.add_row(_MEASURES[name], *(f"{value:.2f}" for value in _quantiles(values).values()))
    return table


def _print_worst(found: "Audit", bank: "Bank", count: int) -> None:
    """The most similar pairs; variants of an entry that ask the same are one pair."""
    pairs: dict[tuple[str, str], list[Finding]] = {}
    for finding in sorted(found.findings, key=lambda f: (-f.tfidf.similarity, -f.embedder.similarity)):
        if finding.tfidf.item:
            pairs.setdefault((finding.asked.question, finding.tfidf.item), []).append(finding)
    questions = {item.id: item.question for item in bank.items}
    for (question, item), findings in list(pairs.items())[:count]:
        first = findings[0]
        more = f" and {len(findings) - 1} more" if len(findings) > 1 else ""
        same = ", same question" * bool(first.same_question)
        if first.same_handling:
            same += ", same trivial handling" if first.asked.trivial else ", same handling"
        console.print(
            f"\n{first.tfidf.similarity:.3f} ({found.embedder} {first.embedder.similarity:.3f}{same}): "
            f"{first.asked.entry}, turn {first.asked.turn + 1}{more}; item {item}",
            style="bold",
        )
        console.print(f"  asked: {_short(question)}\n  item:  {_short(questions[item])}")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN].rstrip()}..."


def _as_json(found: "Audit", bank: "Bank", folder: Path) -> dict[str, Any]:
    return {
        "bank": {"folder": str(folder), "items_hash": bank.card.items_hash, "embedder": found.embedder},
        "against": found.against,
        "thresholds": {"near": NEAR, "duplicate": DUPLICATE},
        "items": found.items,
        "unknown_sources": found.unknown_sources,
        "entries": _counts(found),
        "quantiles": {name: _quantiles(values) for name, values in _similarities(found).items()},
        "same_entry": found.leaks,
        "turns": [
            {**asdict(finding), "stratum": stratum(finding.tfidf.similarity)} for finding in found.findings
        ],
    }
