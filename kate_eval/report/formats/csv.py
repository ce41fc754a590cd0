"""The report's numbers as CSV: a file for each table, and one with every cell in a line of its own.

Numbers stay numbers, unrounded, shares in [0, 1]. A text that a spreadsheet would take for a formula begins
with an apostrophe (OWASP, "CSV Injection").
"""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path

from kate_eval.report.document import Cell, Document, Paired, Row, Table, Value

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four: full width
_PAIRED = [name for name in Paired.model_fields if name != "baseline"]
Field = str | float | int | None


def table_csv(table: Table) -> str:
    """A table, a line a row; estimates have columns for their interval and number of samples."""
    spread = [c for c in table.columns if any(isinstance(row.cells.get(c.key), Cell) for row in table.rows)]
    head = [*_ROW, "part"]
    for column in table.columns:
        head += [column.key, *(f"{column.key}_{end}" for end in _CELL if column in spread)]
    head += ["baseline_row", *(f"paired_{name}" for name in _PAIRED), "expected", "scored", "flags", "logs"]
    return csv_text([head, *(_line(table, row, {column.key for column in spread}) for row in table.rows)])


_ROW = ("id", "kind", "model", "solver", "settings", "name")
_CELL = ("low", "high", "n")


def _row(row: Row) -> list[Field]:
    told = ", ".join(f"{name}={value}" for name, value in row.settings.items())
    return [row.id, row.kind, row.model, row.solver, told, row.name or None]


def _line(table: Table, row: Row, spread: set[str]) -> list[Field]:
    cells: list[Field] = [*_row(row), row.part]
    for column in table.columns:
        value = row.cells.get(column.key)
        cells += _values(value) if column.key in spread else _values(value)[:1]
    paired = row.paired.model_dump() if row.paired else {}
    counts = [row.counts.expected, row.counts.scored] if row.counts else [None, None]
    flags = "; ".join(f"{flag.code}: {flag.text}" for flag in row.flags)
    logs = "; ".join(log.name for log in row.logs)
    return [*cells, paired.get("baseline"), *(paired.get(name) for name in _PAIRED), *counts, flags, logs]


def _values(value: Value) -> list[Field]:
    if isinstance(value, Cell):
        return [value.value, value.low, value.high, value.n]
    return [value, None, None, None]


def long_csv(document: Document) -> str:
    """Every cell of the report: table, board, row, column, value, interval, number of samples."""
    head = ["table", "board", *_ROW, "part", "column", "value", *_CELL]
    lines = [
        [table.id, table.board, *_row(row), row.part, column.key, *_values(value)]
        for table in document.tables
        for row in table.rows
        for column in table.columns
        if (value := row.cells.get(column.key)) is not None
    ]
    return csv_text([head, *lines])


def write_csv(document: Document, file: Path) -> None:
    """Write the one with every cell to a file."""
    file.write_text(long_csv(document), encoding="utf-8")


def write_tables(document: Document, folder: Path) -> None:
    """Write a file for each table; those of tables that are no more are removed."""
    folder.mkdir(exist_ok=True)
    written = {f"{table.id}.csv": table_csv(table) for table in document.tables}
    for stale in {file.name for file in folder.glob("*.csv")} - written.keys():
        (folder / stale).unlink()
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")


def csv_text(lines: Iterable[Sequence[Field]]) -> str:
    """Lines of fields as CSV, in which no field is a formula."""
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([_escaped(field) for field in fields] for fields in lines)
    return file.getvalue()


def _escaped(field: Field) -> Field:
    """A field that no spreadsheet calculates: control characters may hide what a text begins with."""
    if not isinstance(field, str):
        return field
    text = "".join(c if c.isprintable() else " " for c in field)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
