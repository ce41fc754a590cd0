"""`kate compare`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from kate_eval.compare.comparison import Comparison

console = Console()
FORMATS = (".md", ".json")


@click.command()
@click.argument("log_a", type=click.Path(path_type=Path))
@click.argument("log_b", type=click.Path(path_type=Path))
@click.option(
    "--samples",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Samples that each list shows; 0 for all. JSON has all.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Also write to this file: .md or .json."
)
@click.option("--viewer", help="Address of Inspect's viewer, for Markdown's links.")
def compare(log_a: Path, log_b: Path, samples: int, output: Path | None, viewer: str | None) -> None:
    """What LOG_B's run fixed and broke of LOG_A's: flips, their causes, where the runs part.

    Each is a log, or a folder of logs of one run, of which the newest counts.
    """
    from kate_eval.compare.comparison import compare as compare_logs
    from kate_eval.compare.tables import tables
    from kate_eval.errors import unknown
    from kate_eval.report.formats.figures import line

    if output and output.suffix not in FORMATS:
        raise unknown("ending", output.suffix or output.name, FORMATS, "For instance: -o compared.md")
    most = samples or None
    with console.status("Reading both logs, playing the failed samples again"):
        found = compare_logs(log_a, log_b)
    screen = console if console.is_terminal else Console(width=220)
    for flag in found.flags:
        screen.print(Text(line(flag), style="yellow"))
    for told in tables(found, most):
        screen.print(Text(f"\n{told.title}", style="bold"))
        if told.note:
            screen.print(Text(told.note, style="dim"))
        table = Table()
        for name in told.header:
            table.add_column(name, overflow="fold")
        for cells in told.lines:
            table.add_row(*map(Text, cells))
        screen.print(table)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(_written(found, output.suffix, most, viewer), encoding="utf-8")
        console.print(f"Written: {output}", markup=False, highlight=False)


def _written(found: "Comparison", ending: str, samples: int | None, viewer: str | None) -> str:
    from kate_eval.compare.data import as_data
    from kate_eval.compare.link import VIEWER
    from kate_eval.compare.markdown import markdown

    if ending == ".json":
        return json.dumps(as_data(found), indent=1) + "\n"
    return markdown(found, samples, viewer or VIEWER)
