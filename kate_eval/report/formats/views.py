"""A table as people read it: several narrow ones, since a leaderboard has more columns than a page."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from kate_eval.report.document import Cell, Column, Document, Group, Row, Table
from kate_eval.report.formats.figures import UNKNOWN, difference, figure, line, p_value, points


@dataclass(frozen=True)
class Part:
    """A column of a view.

    Attributes:
        label: its head.
        show: a row's text in it.
        text: whether the text is of words, which stand left and may come from a log.
        needed: whether it is shown where there is little room.
    """

    label: str
    show: Callable[[Row], str]
    text: bool = False
    needed: bool = True


@dataclass(frozen=True)
class View:
    """Some columns of a table.

    Attributes:
        title: of the view.
        parts: its columns.
        rows: the table's rows.
        screen: whether a terminal shows it too, not files only.
    """

    title: str
    parts: Sequence[Part]
    rows: Sequence[Row]
    note: str = ""
    screen: bool = True
    lines: list[list[str]] = field(init=False)

    def __post_init__(self) -> None:
        lines = [[part.show(row) for part in self.parts] for row in self.rows]
        object.__setattr__(self, "lines", lines)


def views(document: Document) -> list[View]:
    """All tables of the report, leaderboards before what goes into detail."""
    found = [view for table in document.tables for view in _views(table)]
    first = [table.title for table in document.tables if table.role in ("leaderboard", "overview")]
    return [v for v in found if v.title in first] + [v for v in found if v.title not in first]


def _views(table: Table) -> Iterator[View]:
    if table.role == "leaderboard":
        yield from _leaderboard(table)
    elif table.role in ("overview", "published"):
        parts = [*_who(table), *(_part(c, interval=True) for c in table.columns), _NOTES]
        yield View(table.title, parts, table.rows, table.note)
    else:
        by = Part(_PARTS[table.role], lambda row: line(row.part or UNKNOWN), text=True)
        parts = [_RUN, by, _n(table), *(_part(c, interval=True) for c in table.columns), _DIFFERENCE]
        yield View(table.title, parts, table.rows, table.note)


_MODEL = Part("Model", lambda row: line(row.model), text=True)
_NAME = Part("Name", lambda row: line(row.name) or UNKNOWN, text=True)
"""For tables in which a row has one: the label of its cell in a grid."""
_RUN = Part("Run", lambda row: line(row.title), text=True)
_PARTS = {"strata": "Nearest item", "learning": "Positions"}
"""Role of a table -> what its rows are parts by."""
_DIFFERENCE = Part("vs baseline", lambda row: difference(row.paired))


def _solver(row: Row) -> str:
    told = ", ".join(f"{name}={value}" for name, value in row.settings.items())
    return line(f"{row.solver} ({told})" if told else row.solver)


_SOLVER = Part("Solver", _solver, text=True)
_NOTES = Part("Notes", lambda row: line("; ".join(flag.text for flag in row.flags)) or UNKNOWN, text=True)


def _who(table: Table) -> list[Part]:
    """Whose row it is; names alone where there is little room and every row has one."""
    if not any(row.name for row in table.rows):
        return [_MODEL, _SOLVER]
    return [_MODEL, _NAME, replace(_SOLVER, needed=not all(row.name for row in table.rows))]


def _part(column: Column, interval: bool = False, needed: bool = True) -> Part:
    def show(row: Row) -> str:
        return figure(column, row.cells.get(column.key), interval)

    return Part(column.label, show, column.unit == "text", needed)


def _n(table: Table) -> Part:
    def show(row: Row) -> str:
        found = row.cells.get(table.headline)
        return str(found.n) if isinstance(found, Cell) and found.n is not None else "0"

    return Part("n", show)


def _errors(row: Row) -> str:
    return str(row.counts.errors.get("infrastructure", 0)) if row.counts else UNKNOWN


def _detectable(row: Row) -> str:
    return points(row.paired.detectable) if row.paired else UNKNOWN


def _leaderboard(table: Table) -> Iterator[View]:
    yield View(table.title, _main(table), table.rows, table.note)
    costs = _of(table, "cost")
    shown = {"input", "output", "step_mean", "step_p95", "dollars_sample"}
    if any(column.key not in ("requests", "tokens") for column in costs):
        parts = [_RUN, *(_part(c, needed=c.key in shown) for c in costs if c.key != "tokens")]
        yield View(f"{table.title}: cost and latency", parts, table.rows, _legend(costs))
    compared = [row for row in table.rows if row.paired]
    if compared:
        labels = {row.id: row.title for row in table.rows}
        yield View(f"{table.title}: paired differences", _paired(labels), compared, screen=False)
    scores = [*_of(table, "score"), *_of(table, "category")]
    for what, columns, interval in (
        ("all scores", scores, True),
        ("over epochs", _of(table, "epochs"), True),
        ("what was not scored, and why samples failed", [*_of(table, "error"), *_of(table, "cause")], False),
        ("provenance", _of(table, "provenance"), False),
    ):
        if columns:
            parts = [_RUN, *(_part(column, interval) for column in columns)]
            yield View(f"{table.title}: {what}", parts, table.rows, screen=False)


def _legend(columns: Sequence[Column]) -> str:
    """What columns mean, in a line."""
    return " ".join(f"{column.label}: {column.help}" for column in columns if column.help)


def _main(table: Table) -> list[Part]:
    first, *others = _of(table, "score")
    brief = {"requests", "tokens"}
    return [
        *_who(table),
        _part(first, interval=True),
        _n(table),
        *(_part(column, needed=False) for column in others),
        _DIFFERENCE,
        Part("Detectable", _detectable, needed=False),
        *(_part(column, needed=False) for column in _of(table, "cost") if column.key in brief),
        *(_part(column, needed=False) for column in _of(table, "rate")),
        Part("Err.", _errors),
        _NOTES,
    ]


def _of(table: Table, group: Group) -> list[Column]:
    return [column for column in table.columns if column.group == group]


def _paired(labels: dict[str, str]) -> list[Part]:
    def interval(row: Row) -> str:
        found = row.paired
        if found is None or found.low is None:
            return UNKNOWN
        return f"[{points(found.low, True)}, {points(found.high, True)}]"

    return [
        _RUN,
        Part("Baseline", lambda r: line(labels.get(r.paired.baseline, "-") if r.paired else "-"), text=True),
        Part("Entries", lambda r: str(r.paired.n) if r.paired else UNKNOWN),
        Part("Difference", lambda r: points(r.paired.difference, True) if r.paired else UNKNOWN),
        Part("95% interval", interval),
        Part("p (Holm)", lambda r: _bare(r.paired.p_holm if r.paired else None)),
        Part("p, unadjusted", lambda r: _bare(r.paired.p if r.paired else None)),
        Part("Detectable", _detectable),
    ]


def _bare(p: float | None) -> str:
    return p_value(p).removeprefix("p").removeprefix("=")
