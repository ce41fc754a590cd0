"""The comparison as Markdown, with links into Inspect's viewer."""

from collections.abc import Sequence
from pathlib import Path

from kate_eval.compare.comparison import Comparison
from kate_eval.compare.link import VIEWER, common_folder, sample_link
from kate_eval.compare.side import Attempt
from kate_eval.compare.tables import Table, tables
from kate_eval.report.formats.figures import line
from kate_eval.report.formats.markdown import escaped


def markdown(found: Comparison, samples: int | None, viewer: str = VIEWER) -> str:
    """The whole comparison.

    Args:
        found: the comparison.
        samples: most lines of a list of samples; None for all.
        viewer: address of Inspect's viewer of the folder that holds both logs.
    """
    logs = [source.file for side in (found.first, found.second) for source in side.run.sources]
    folder = common_folder(logs)
    parts = [f"# {escaped(found.first.run.board)}: B against A"]
    if found.flags:
        parts.append("\n".join(f"- **{escaped(line(flag))}**" for flag in found.flags))
    for table in tables(found, samples):
        notes = [escaped(note) for note in table.note.splitlines()]
        parts += [f"## {escaped(table.title)}", *notes, _table(table, folder, viewer)]
    if viewer == VIEWER:
        parts.append(f"The links work while this runs: `inspect view --log-dir {folder}`")
    return "\n\n".join(parts) + "\n"


def _table(table: Table, folder: Path, viewer: str) -> str:
    linked = bool(table.attempts)
    head = [*table.header, *(("Log",) if linked else ())]
    rows = [[escaped(cell) for cell in cells] for cells in table.lines]
    if linked:
        links = [_links(attempts, folder, viewer) for attempts in table.attempts]
        rows = [[*cells, link] for cells, link in zip(rows, links, strict=True)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def _links(attempts: Sequence[Attempt], folder: Path, viewer: str) -> str:
    names = ("A", "B") if len(attempts) == 2 else ("sample",)
    return " ".join(
        f"[{name}]({sample_link(attempt, folder, viewer)})"
        for name, attempt in zip(names, attempts, strict=True)
    )
