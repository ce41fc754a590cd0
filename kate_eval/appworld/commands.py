"""`kate appworld ...`: set-up, export, and the engine's own commands. Heavy imports happen inside."""

import sys
from pathlib import Path

import click
from rich.console import Console

console = Console()


def _say(line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


@click.group()
def appworld() -> None:
    """The AppWorld benchmark."""


@appworld.command()
@click.option("--mini", is_flag=True, help="The mini world, built here; without it the published tasks.")
@click.option("--force", is_flag=True, help="Make the tasks' data anew.")
def setup(mini: bool, force: bool) -> None:
    """Install the engine in an environment of its own and set up the tasks; what is there stays."""
    import anyio

    from kate_eval.appworld import record
    from kate_eval.appworld.provision import provision

    world = "mini" if mini else "real"
    provision(world, force, _say)
    anyio.run(record.record, world, record.RECORDED[world], _say)


@appworld.command()
@click.argument("logs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("experiments"),
    show_default=True,
    help="Folder to write: the experiments folder of an AppWorld root.",
)
def export(logs: tuple[Path, ...], output: Path) -> None:
    """Write the outputs in LOGS as the engine's own experiment folders."""
    import anyio

    from kate_eval.appworld.export import export_logs

    for made in anyio.run(export_logs, logs, output):
        _say(f"{made.folder}: {made.tasks} tasks, {len(made.missing)} without outputs")
        for task in made.missing:
            _say(f"  {task} has no outputs in the log: exported as an untouched world, which fails")
        _say(f"  kate appworld official -o {output} evaluate {made.folder.name} {made.split}")


@appworld.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "-o",
    "--experiments",
    type=click.Path(path_type=Path),
    default=Path("experiments"),
    show_default=True,
    help="The experiments folder to work on.",
)
@click.option("--mini", is_flag=True, help="Use the mini world even if no split of it is named.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, required=True)
def official(experiments: Path, mini: bool, arguments: tuple[str, ...]) -> None:
    """Run a command of the engine's own, for instance: evaluate EXPERIMENT SPLIT."""
    from kate_eval.appworld.provision import run_official

    world = "mini" if mini or any(word.startswith("mini_") for word in arguments) else "real"
    sys.exit(run_official(world, experiments, arguments))
