"""`kate report`."""

from pathlib import Path

import click
from rich.console import Console

console = Console()


@click.command()
@click.argument("logs", type=click.Path(path_type=Path), nargs=-1)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Also write to this folder (Markdown, CSV, JSON, LaTeX), or to a file by its ending.",
)
@click.option(
    "--prices",
    type=click.Path(path_type=Path),
    help="YAML: model -> {input, input_cache_read, output} in dollars per million tokens.",
)
@click.option(
    "--baseline",
    default="baseline",
    show_default=True,
    help='Compare with this solver\'s run of the same model, or with one row ("MODEL SOLVER (SETTINGS)").',
)
@click.option(
    "--causes/--no-causes",
    default=None,
    help="Look into every failed sample for its cause (once: it is remembered). By default with -o, unless "
    "there are more than a thousand.",
)
def report(
    logs: tuple[Path, ...], output: Path | None, prices: Path | None, baseline: str, causes: bool | None
) -> None:
    """Print the leaderboard of the LOGS folders (by default ./logs)."""
    from kate_eval.report.causes import UNASKED, LookUp, look_up
    from kate_eval.report.cost import read_prices
    from kate_eval.report.formats.terminal import WIDE, shown
    from kate_eval.report.formats.write import write_report
    from kate_eval.report.make import make_document
    from kate_eval.report.read import read_logs

    table = read_prices(prices) if prices else None
    with console.status("Reading logs") as status:
        reading = read_logs(*(logs or (Path("logs"),)))
        found = LookUp()
        if causes or (causes is None and output):
            most = None if causes else UNASKED
            found = look_up(
                reading.runs, most, lambda done, all: status.update(f"Failed samples: {done} of {all}")
            )
        document = make_document(reading, table, baseline, found)
    # A pipe gets the whole table; a narrow terminal the columns that fit, the rest is in the files.
    screen = console if console.is_terminal else Console(width=220)
    for part in shown(document, screen.width >= WIDE):
        screen.print(part)
    for written in write_report(document, output) if output else ():
        console.print(f"Written: {written}", markup=False, highlight=False)
