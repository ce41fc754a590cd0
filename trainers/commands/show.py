"""`kate train show`: what is in a folder of rows, and one of them as the model is shown it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.rule import Rule
from rich.table import Table

from kate_eval.errors import ConfigurationError, unknown
from kate_eval.knowledge.commands.terminal import Folder, console

if TYPE_CHECKING:
    from kate_eval.trainers.row import Row
    from kate_eval.trainers.rows.card import RowsCard

IDS = 10
"""Rows that are listed."""


@click.command("show")
@click.argument("folder", type=Folder)
@click.argument("row", required=False)
@click.option("--tools", is_flag=True, help="Also the tools that the row offers, in full.")
@click.option("--ids", is_flag=True, help="Only the rows' ids, one a line: all, or those with ROW in them.")
def show(folder: Path, row: str | None, tools: bool, ids: bool) -> None:
    """What is in FOLDER; with the id of a ROW (or a part of it), that row."""
    from kate_eval.trainers.rows.folder import load_rows

    held = load_rows(folder)
    every = [*held.train, *held.held_out]
    if ids:
        for one in every:
            if (row or "") in one.id:
                click.echo(one.id)
        return
    if row is None:
        show_card(held.card, folder)
        _show_ids("To learn from", held.train, folder)
        _show_ids("Held out", held.held_out, folder)
        return
    found = next((one for one in every if one.id == row), None)
    near = [one for one in every if row in one.id]
    found = near[0] if found is None and len(near) == 1 else found
    if found is None and near:
        first = ", ".join(one.id for one in near[:IDS])
        more = ", ..." if len(near) > IDS else ""
        raise ConfigurationError(f"{row!r} is in the ids of {len(near)} rows: {first}{more}. Name one")
    if found is None:
        names = [one.id for one in every][:IDS]
        raise unknown("row", row, names, f"All: kate train show {folder} --ids")
    _show_row(found, tools)


def _show_ids(title: str, rows: Sequence["Row"], folder: Path) -> None:
    """The ids of rows, the first of them where there are many."""
    if not rows:
        return
    console.print(f"\n{title}, by id (kate train show {folder} ID):", soft_wrap=True, markup=False)
    for row in rows[:IDS]:
        console.print(f"  {row.id}", soft_wrap=True, highlight=False, markup=False)
    if len(rows) > IDS:
        console.print(f"  ... and {len(rows) - IDS} more: --ids lists them all")


def show_card(card: "RowsCard", folder: Path) -> None:
    """Print a card, with the histogram of the rows' lengths."""
    from kate_eval.trainers.rows.card import described, histogram

    if card.leaked:
        console.print("LEAKED: made from test entries; no score on them means anything.", style="bold red")
    table = Table(str(folder), box=None, pad_edge=False)
    table.add_column("", overflow="fold")
    for name, value in described(card).items():
        table.add_row(name, str(value))
    console.print(table)
    if card.tokens is not None:
        console.print(f"\nTokens a row ({card.tokens.counted_by})\n{histogram(card.tokens.histogram)}")


def _show_row(row: "Row", tools: bool) -> None:
    said = row.model_dump(mode="python", exclude={"messages", "tools", "completion"})
    for name, value in said.items():
        if value not in ("", (), {}):
            console.print(f"{name}: {value}")
    names = [str(tool["function"]["name"]) for tool in row.tools]
    console.print(
        f"tools: {json.dumps(row.tools, indent=1, ensure_ascii=False) if tools else ', '.join(names)}"
    )
    for message in row.messages:
        _show_message(str(message["role"]), message)
    _show_message("assistant, to learn", row.completion)


def _show_message(title: str, message: dict[str, Any]) -> None:
    console.print(Rule(title, align="left"))
    if message.get("reasoning_content"):
        console.print(f"(reasoning) {message['reasoning_content']}")
    content = message.get("content")
    if content:
        console.print(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))
    for call in message.get("tool_calls") or ():
        console.print(f"-> {call['function']['name']} {call['function']['arguments']}")
