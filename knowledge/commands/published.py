"""`kate knowledge import`: a bank that was published with the method, as a bank of ours."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import click

from kate_eval.knowledge.commands.terminal import Folder, console

KEYS = 3
"""Entries that a line names."""
LINES = 100


@click.command("import")
@click.argument("file", type=Folder)
@click.option("--from", "origin", type=click.Choice(["kate"]), required=True, help="Who published it.")
@click.option(
    "--benchmark",
    type=click.Choice(["appworld", "appworld-mini"]),
    help="Of AppWorld's layout: the world whose tasks it is of (by default appworld).",
)
@click.option("--notes", type=Folder, help="Write every note as JSON Lines to this file.")
@click.option("-o", "--output", type=Folder, required=True, help="Folder to write.")
def import_(file: Path, origin: str, benchmark: str | None, notes: Path | None, output: Path) -> None:
    """Make a bank of FILE, one of those published with KATE, and list what can't be mapped."""
    from kate_eval.errors import BankError
    from kate_eval.knowledge.folder import is_bank, save_bank
    from kate_eval.knowledge.published import read_published, verify

    if is_bank(output):
        raise BankError(
            f"{output} is a bank, which an import does not replace: name another folder, and join them with "
            "kate knowledge merge"
        )
    with console.status("Reading"):  # a status would take brackets in a name for markup
        imported = read_published(file, benchmark)
        verified = anyio.run(verify, imported.bank)
    listed = [*imported.notes, *filter(None, [verified])]
    bank = save_bank(imported.bank, output)
    if notes is not None:
        lines = [json.dumps(dataclasses.asdict(note), ensure_ascii=False) + "\n" for note in listed]
        notes.write_text("".join(lines), encoding="utf-8")
    for line in _lines(listed):
        console.print(line)
    card = bank.card
    forms = ", ".join(f"{form} {count}" for form, count in card.forms.items())
    console.print(
        f"{output}: {len(bank.items)} items ({forms}) of {card.benchmark} {card.split} from "
        f"{len(card.sources)} known entries, hash {card.items_hash}.\n"
        f"Threshold {card.embedder.threshold} ({card.embedder.name}): {card.embedder.calibration}.",
    )


def _lines(notes: Sequence[Any]) -> list[str]:
    """Notes that say the same of several entries as one line."""
    same: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for note in notes:
        same[note.field, note.reason].append(note)
    lines = []
    for (field, reason), group in same.items():
        count = sum(note.count for note in group)
        keys = [repr(note.key) for note in group if note.key]
        more = f", and {len(keys) - KEYS} more" if len(keys) > KEYS else ""
        where = f" ({', '.join(keys[:KEYS])}{more})" if keys else ""
        lines.append(f"{count} x {field}: {reason}{where}")
    if len(lines) > LINES:
        left = len(lines) - LINES
        lines = [*lines[:LINES], f"... and {left} lines more: --notes FILE has them all"]
    return lines
