"""The report for a terminal."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kate_eval.report.document import Document
from kate_eval.report.formats.figures import line
from kate_eval.report.formats.views import View, views

WIDE = 170
"""Columns of a terminal that hold the whole table."""


def shown(document: Document, wide: bool = True) -> Iterator[RenderableType]:
    """What a terminal shows: leaderboards and their parts, then what there is to know of them.

    Args:
        document: the report.
        wide: whether there is room for all columns; a narrow terminal gets those that matter most.
    """
    chosen = [view for view in views(document) if view.screen]
    for view in chosen:
        yield _table(view, wide)
    for note in dict.fromkeys(note for view in chosen for note in view.note.splitlines()):
        yield Text(note, style="dim")
    for flag in document.notes:
        yield Text(line(flag.text), style="yellow")


def _table(view: View, wide: bool) -> Table:
    table = Table(title=Text(line(view.title)))
    kept = [number for number, part in enumerate(view.parts) if wide or part.needed]
    for number in kept:
        part = view.parts[number]
        table.add_column(part.label, justify="left" if part.text else "right", overflow="fold")
    runs = [cells[0] if view.parts[0].label == "Run" else "" for cells in view.lines]
    for at, cells in enumerate(view.lines):
        again = at > 0 and runs[at] != "" and runs[at - 1] == runs[at]
        last = at + 1 == len(runs) or runs[at + 1] != runs[at]
        texts = [Text("" if again and number == 0 else cells[number]) for number in kept]
        table.add_row(*texts, end_section=last and runs[at] != "")
    return table
