"""`kate bfcl ...`: set-up, and official result files both ways. Heavy imports happen inside."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from kate_eval.errors import DatasetError, KateError
from kate_eval.terminal import console, say


@click.group()
def bfcl() -> None:
    """The BFCL-V3 benchmark."""


@bfcl.command()
def setup() -> None:
    """Install the pinned bfcl-eval into this environment, without its dependencies."""
    from kate_eval.bfcl import engine

    try:
        engine.require()
        say(f"bfcl-eval {engine.BFCL_EVAL_VERSION} is already installed.")
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
    say(f"Installed bfcl-eval {engine.BFCL_EVAL_VERSION} (data and checkers of BFCL-V3).")


def _installer() -> list[str]:
    """The command that installs into this environment: its own pip, or uv where it has none."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install"]
    if shutil.which("uv"):
        return ["uv", "pip", "install", "--python", sys.executable]
    raise KateError(f"{sys.executable} has no pip, and uv is not on the PATH: install one of them")


@bfcl.command()
@click.argument("logs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("result"),
    show_default=True,
    help="Folder to write: bfcl evaluate's --result-dir. Several runs or epochs get a folder each below it.",
)
@click.option(
    "--handler",
    help="Model of the official tool that the results stand for: it decides how they are read.",
)
@click.option("--epoch", type=click.IntRange(min=1), help="Only this epoch; without it all of them.")
@click.option("--partial", is_flag=True, help="Take logs of runs that did not end well, too.")
def export(
    logs: tuple[Path, ...], output: Path, handler: str | None, epoch: int | None, partial: bool
) -> None:
    """Write the results in LOGS as official result files, which `bfcl evaluate` scores."""
    from kate_eval.bfcl.interchange.export import export_logs

    for made in export_logs(logs, output, handler, epoch, partial, say):
        say(f"{made.folder}: {made.entries} entries of {made.run}, epoch {made.epoch}")
        for entry, reason in made.left_out.items():
            say(f"  {entry} left out, not scored: {reason}")
        for entry in made.mended:
            say(f"  {entry} holds half a character, at which the official tool stops: written as U+FFFD")
        if made.entries:
            say(f"  {made.command}")


@bfcl.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "--mode",
    type=click.Choice(["fc", "prompt"]),
    help="How the model was asked; without it found from the answers, or the folder's name.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Also write every verdict: JSON.")
def score(results: Path, mode: Any, output: Path | None) -> None:
    """Score official result files: RESULTS is a model's folder (result/MODEL), or one file."""
    from kate_eval.bfcl.interchange.score import score_results
    from kate_eval.bfcl.interchange.table import as_json, notes, score_table, totals_table

    with console.status("Scoring"):
        scoring = score_results(results, mode)
    screen = console if console.is_terminal else Console(width=120)
    for table in (score_table(scoring), totals_table(scoring)):
        screen.print(table)
    for line in notes(scoring):
        say(line)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(as_json(scoring), indent=1) + "\n", encoding="utf-8")
        say(f"Written: {output}")
