"""`kate appworld ...`: set-up, export, and the engine's own commands. Heavy imports happen inside."""

import sys
from pathlib import Path

import click

from kate_eval.terminal import say


@click.group()
def appworld() -> None:
    """The AppWorld benchmark."""


@appworld.command()
@click.option("--mini", is_flag=True, help="The mini world, built here; without it the published tasks.")
@click.option("--force", is_flag=True, help="Make the tasks' data anew.")
def setup(mini: bool, force: bool) -> None:
    """Install the engine in an environment of its own and set up the tasks; what is there stays."""
    from kate_eval.appworld.provision import provision

    provision("mini" if mini else "real", force, say)


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
@click.option("--partial", is_flag=True, help="Take logs of runs that did not end well, too.")
@click.option(
    "--fill", is_flag=True, help="Write untouched worlds, which fail, for tasks that were not played."
)
def export(logs: tuple[Path, ...], output: Path, partial: bool, fill: bool) -> None:
    """Write the outputs in LOGS as the engine's own experiment folders."""
    import anyio

    from kate_eval.appworld.export import export_logs

    for made in anyio.run(export_logs, logs, output, partial, fill, say):
        say(f"{made.folder}: {made.tasks} tasks, {len(made.untouched)} without outputs")
        for task in made.untouched:
            say(f"  {task} has no outputs in the log: exported as an untouched world, which fails")
        for task in made.unscored:
            say(f"  {task} failed and is not scored: the engine's numbers count it, the log's leave it out")
        if made.left_out:
            say(f"  {made.left_out} tasks of {made.split} were not played: the engine evaluates whole splits")
            say("  only. To count them as failed, export again with --fill")
        else:
            say(f"  kate appworld official -o {output} evaluate {made.folder.name} {made.split}")


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
    code = run_official(world, experiments, arguments)
    say(f"Files that were named below .../experiments are in {experiments}.")
    sys.exit(code)
