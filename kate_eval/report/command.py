"""`kate report`."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from kate_eval.terminal import say

if TYPE_CHECKING:
    from kate_eval.report.cost import Prices
    from kate_eval.report.document import Document

console = Console()

PORT = 7576


@click.command()
@click.argument("logs", type=click.Path(path_type=Path), nargs=-1)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Also write to this folder (page, plots, Markdown, CSV, JSON, LaTeX), or to a file by its ending.",
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
    help="Compare with this solver's run of the same model, or with one row "
    '("MODEL SOLVER (SETTINGS)", or "MODEL NAME" of a grid).',
)
@click.option(
    "--causes/--no-causes",
    default=None,
    help="Look into every failed sample for its cause (once: it is remembered). By default with -o, unless "
    "there are more than a thousand.",
)
@click.option(
    "--checkpoint",
    "checkpoints",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Also plot the curves of a training run; may be given again.",
)
@click.option(
    "--bundle", is_flag=True, help="Copy the logs and Inspect's viewer beside the page (needs -o FOLDER)."
)
@click.option("--serve", is_flag=True, help="Serve the page on this machine, with new numbers as runs go on.")
@click.option("--port", type=int, show_default=str(PORT), help="Of --serve; 0 takes a free one.")
def report(
    logs: tuple[Path, ...],
    output: Path | None,
    prices: Path | None,
    baseline: str,
    causes: bool | None,
    checkpoints: tuple[Path, ...],
    bundle: bool,
    serve: bool,
    port: int | None,
) -> None:
    """Print the leaderboard of the LOGS folders (by default ./logs)."""
    from kate_eval.report.cost import read_prices
    from kate_eval.report.formats.write import FORMATS, require_format

    if bundle and (output is None or output.suffix.lower() in FORMATS):
        raise click.UsageError("--bundle copies the logs beside the page: name its folder with -o FOLDER")
    if port is not None and not serve:
        raise click.UsageError("--port is of the server: add --serve")
    if output is not None:
        require_format(output)
    folders = logs or (Path("logs"),)
    table = read_prices(prices) if prices else None
    by_default = bool(output or serve)
    make = partial(
        _document,
        folders,
        table,
        baseline,
        checkpoints,
        by_default if causes is None else causes,
        bool(causes),
    )
    if output or not serve:
        with console.status("Reading logs") as status:
            document = make(lambda done, all: status.update(f"Failed samples: {done} of {all}"))
        _show(document)
        if output:
            _write(document, output, bundle)
    if serve:
        _serve(make, folders, PORT if port is None else port)


def _document(
    folders: Sequence[Path],
    prices: "Prices | None",
    baseline: str,
    checkpoints: Sequence[Path],
    causes: bool,
    all_causes: bool,
    step: Callable[[int, int], None] = lambda done, all: None,
) -> "Document":
    """Read the logs, and if asked why samples failed: of all, or as long as it takes no minutes."""
    from kate_eval.report.causes import UNASKED, LookUp, look_up
    from kate_eval.report.make import make_document
    from kate_eval.report.read import read_logs
    from kate_eval.report.training import read_training

    training = read_training(checkpoints)
    reading = read_logs(*folders)
    found = look_up(reading.runs, None if all_causes else UNASKED, step) if causes else LookUp()
    return make_document(reading, prices, baseline, found, training)


def _show(document: "Document") -> None:
    from kate_eval.report.formats.terminal import WIDE, shown

    # A pipe gets the whole table; a narrow terminal the columns that fit, the rest is in the files.
    screen = console if console.is_terminal else Console(width=220)
    for part in shown(document, screen.width >= WIDE):
        screen.print(part)


def _write(document: "Document", output: Path, bundled: bool) -> None:
    from kate_eval.report.formats.write import write_report
    from kate_eval.report.page.bundle import bundle

    with console.status("Writing the report"):
        viewers = bundle(document.folders, output) if bundled else None
        files = write_report(document, output, viewers)
    for written in files:
        console.print(f"Written: {written}", markup=False, highlight=False)


def _serve(make: "Callable[[], Document]", folders: tuple[Path, ...], port: int) -> None:
    from kate_eval.report.page.live import serving
    from kate_eval.report.read import any_logs

    with serving(make, folders, port) as url:
        say(f"The report is at {url} and follows the logs; Ctrl-C ends it.")
        if not any_logs(folders):
            say("There are no logs yet: the page shows them once they are there.")
        say(f"Its links open where this runs: inspect view --log-dir {folders[0]}")
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
