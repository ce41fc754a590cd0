"""`kate rescore`: serves a checkpoint, plays the benchmarks beside its base. Heavy imports happen inside."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

WIDTH = 200


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--tasks", default="bfcl", show_default=True, help="Comma-separated: bfcl, appworld.")
@click.option("--solvers", default="baseline,kate", show_default=True, help="Comma-separated.")
@click.option("--base/--no-base", default=True, show_default=True, help="Whether its base model plays too.")
@click.option("--log-dir", type=click.Path(path_type=Path), help="By default logs/rescore-NAME.")
@click.option("--limit", type=click.IntRange(1), help="Samples of each category (AppWorld: difficulty).")
@click.option("--epochs", type=click.IntRange(1), default=1, show_default=True)
@click.option("--world", type=click.Choice(["real", "mini"]), default="real", show_default=True)
@click.option("--bank", type=click.Path(path_type=Path), help="A bank; by default the training half's.")
@click.option("--max-connections", type=click.IntRange(1), help="Requests at once.")
@click.option("--max-tokens", type=click.IntRange(1), help="Of each answer; by default the task's 3,000.")
@click.option("--env", type=click.Path(path_type=Path), help="An environment with vLLM, as for kate serve.")
@click.option("--replicas", default=1, show_default=True, help="Servers, on consecutive ports.")
@click.option("--port", default=8000, show_default=True, help="Of the first server.")
@click.option("--timeout", default=900.0, show_default=True, help="Seconds that starting may take.")
@click.argument("flags", nargs=-1, type=click.UNPROCESSED)
def rescore(
    checkpoint: Path,
    tasks: str,
    solvers: str,
    base: bool,
    log_dir: Path | None,
    env: Path | None,
    replicas: int,
    port: int,
    timeout: float,
    flags: tuple[str, ...],
    **options: Any,
) -> None:
    """Score CHECKPOINT (a folder with a model, or with a LoRA adapter) on the benchmarks, beside its base.

    Finished samples are kept: the same command goes on where it was. The scores also go into the checkpoint's
    card. FLAGS are vLLM's own and follow a --.
    """
    from kate_eval.grid.cell import Grid
    from kate_eval.grid.options import Options
    from kate_eval.grid.table import end_table
    from kate_eval.trainers.checkpoint.leak import warning
    from kate_eval.trainers.rescore.checkpoint import read_checkpoint
    from kate_eval.trainers.rescore.play import cells
    from kate_eval.trainers.rescore.play import rescore as play

    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH)
    found = read_checkpoint(checkpoint)
    logs = log_dir or Path("logs") / f"rescore-{found.name}"
    grid = Grid(title=f"Rescored {found.name}", cells=cells(_names(tasks), _names(solvers)))
    serve = {"env": env, "replicas": replicas, "port": port, "timeout": timeout, "flags": flags}

    def say(line: str) -> None:
        console.print(escape(line), highlight=False, soft_wrap=True)

    if found.card is not None and found.card.leaked:
        say(f"{warning(found.card.leaked)}. The report flags its rows.")
    display = "rich" if console.is_terminal else "none"
    plans = play(found, grid, Options(log_dir=logs, **options), serve, base, say, display)
    for plan in plans:
        console.print(end_table(plan))
    say(f"Logs: {logs}. The report: kate report {logs}")
    raise click.exceptions.Exit(1 if any(plan.to_run for plan in plans) else 0)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
