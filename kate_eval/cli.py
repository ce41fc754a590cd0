"""The `kate` command (alias `kate-eval`). Heavy imports happen inside the commands that need them."""

import errno
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from kate_eval import __version__
from kate_eval.appworld.commands import appworld
from kate_eval.bfcl.commands import bfcl
from kate_eval.compare.command import compare
from kate_eval.endpoints.probe.command import probe_command
from kate_eval.endpoints.serve.commands import serve
from kate_eval.errors import KateError
from kate_eval.grid.commands import grid
from kate_eval.knowledge.commands import knowledge
from kate_eval.report.command import report
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
main.add_command(compare)
main.add_command(bfcl)
main.add_command(grid)
main.add_command(knowledge)
main.add_command(report)
main.add_command(serve)
main.add_command(rescore)
main.add_command(train)


def _solver_needs() -> "Mapping[str, Sequence[Need]]":
    from kate_eval.solvers.needs import all_needs

    return all_needs()


main.add_command(probe_command(_solver_needs))


@main.command()
@click.option(
    "--entries", default=50, show_default=True, help="BFCL test entries of each category (at most 100)."
)
@click.option("--tasks", default=12, show_default=True, help="Tasks of AppWorld's mini world (at most 12).")
@click.option("--log-dir", type=click.Path(path_type=Path), default=Path("logs/demo"), show_default=True)
def demo(entries: int, tasks: int, log_dir: Path) -> None:
    """Play five solvers on a simulated model, print the leaderboard, write the report and its page."""
    from kate_eval.demo import run_demo

    run_demo(entries, tasks, log_dir)
    click.get_current_context().invoke(report, logs=(log_dir,), output=log_dir / "report")
