"""The `kate` command (alias `kate-eval`). Heavy imports happen inside the commands that need them."""

import errno
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from kate_eval import __version__
from kate_eval.appworld.commands import appworld
from kate_eval.endpoints.probe.command import probe_command
from kate_eval.endpoints.serve.commands import serve
from kate_eval.errors import KateError
from kate_eval.grid.commands import grid
from kate_eval.knowledge.commands import knowledge
from kate_eval.trainers.commands import train
from kate_eval.trainers.commands.rescore import rescore

if TYPE_CHECKING:
    from kate_eval.endpoints.probe.needs import Need

console = Console()
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)


class _Group(click.Group):
    """Shows our own errors, and the disk's, as one line without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KateError as ex:
            raise click.ClickException(str(ex)) from ex
        except OSError as ex:  # the message names the file
            remedy = ". Free the disk or choose another folder" if ex.errno in _NO_ROOM else ""
            raise click.ClickException(f"{ex}{remedy}") from ex


@click.group(cls=_Group)
@click.version_option(__version__, prog_name="kate-eval")
def main() -> None:
    """Evaluate tool-calling agents: set-up, model servers, knowledge banks, reports."""


main.add_command(appworld)
main.add_command(grid)
main.add_command(knowledge)
main.add_command(serve)
main.add_command(rescore)
main.add_command(train)


def _solver_needs() -> "Mapping[str, Sequence[Need]]":
    from kate_eval.solvers.needs import all_needs

    return all_needs()


main.add_command(probe_command(_solver_needs))


@main.group()
def bfcl() -> None:
    """The BFCL-V3 benchmark."""


@bfcl.command("setup")
def bfcl_setup() -> None:
    """Install the pinned bfcl-eval into this environment, without its dependencies."""
    from kate_eval.bfcl import engine
    from kate_eval.errors import DatasetError

    try:
        engine.require()
        console.print(f"bfcl-eval {engine.BFCL_EVAL_VERSION} is already installed.")
        return
    except DatasetError:
        pass
    command = [*_installer(), "--quiet", "--no-deps", "--require-hashes", "-r", str(engine.REQUIREMENTS)]
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise DatasetError(
            f"pip could not install bfcl-eval {engine.BFCL_EVAL_VERSION} (exit code {done.returncode}). "
            "Check the network, or install that wheel yourself: pip install --no-deps WHEEL"
        )
    console.print(f"Installed bfcl-eval {engine.BFCL_EVAL_VERSION} (data and checkers of BFCL-V3).")


def _installer() -> list[str]:
    """The command that installs into this environment: its own pip, or uv where it has none."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install"]
    if shutil.which("uv"):
        return ["uv", "pip", "install", "--python", sys.executable]
    raise KateError(f"{sys.executable} has no pip, and uv is not on the PATH: install one of them")


@main.command()
@click.argument("logs", type=click.Path(path_type=Path), nargs=-1)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Also write Markdown to this file.")
@click.option(
    "--prices",
    type=click.Path(path_type=Path),
    help="YAML: model -> {input, input_cache_read, output} in dollars per million tokens.",
)
def report(logs: tuple[Path, ...], output: Path | None, prices: Path | None) -> None:
    """Print the leaderboard of the LOGS folders (by default ./logs)."""
    from kate_eval.report.cost import read_prices
    from kate_eval.report.leaderboard import leaderboard
    from kate_eval.report.runs import read_runs
    from kate_eval.report.tables import EXPLANATION, WIDE, markdown, part_tables, rich_tables

    table = read_prices(prices) if prices else None
    with console.status("Reading logs"):
        rows = leaderboard(read_runs(*(logs or (Path("logs"),))), table)
    # A pipe gets the whole table; a narrow terminal the columns that fit, the rest is in the Markdown.
    screen = console if console.is_terminal else Console(width=220)
    wide = screen.width >= WIDE
    for shown in [*rich_tables(rows, wide), *part_tables(rows, wide)]:
        screen.print(shown)
    console.print(EXPLANATION, style="dim", markup=False, highlight=False)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(markdown(rows), encoding="utf-8")
        console.print(f"Written: {output}")


@main.command()
@click.option(
    "--entries", default=50, show_default=True, help="BFCL test entries of each category (at most 100)."
)
@click.option("--tasks", default=12, show_default=True, help="Tasks of AppWorld's mini world (at most 12).")
@click.option("--log-dir", type=click.Path(path_type=Path), default=Path("logs/demo"), show_default=True)
def demo(entries: int, tasks: int, log_dir: Path) -> None:
    """Play five solvers on a simulated model, print the leaderboard."""
    from kate_eval.demo import run_demo

    run_demo(entries, tasks, log_dir)
    click.get_current_context().invoke(report, logs=(log_dir,), output=log_dir / "leaderboard.md")
