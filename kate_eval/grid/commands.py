"""`kate grid`: plans a grid, runs what is missing of it, says how it stands. Heavy imports happen inside."""

from collections.abc import Sequence
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape

from kate_eval.errors import ConfigurationError

if TYPE_CHECKING:
    from kate_eval.grid.bank import GridBank
    from kate_eval.grid.cell import Grid
    from kate_eval.grid.options import Options
    from kate_eval.grid.plan import Plan
    from kate_eval.grid.run import Say

INTERRUPTED = 130
"""The exit code that shells give a command ended by Ctrl-C."""
WIDTH = 200
"""Columns that a pipe gets."""


def _console() -> Console:
    """For people as wide as their terminal; a pipe gets the whole table."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


@click.command()
@click.argument("file")
@click.option("--model", "models", multiple=True, help="An Inspect model; may be given again.")
@click.option(
    "--model-variant",
    "variants",
    multiple=True,
    metavar="NAME=MODEL",
    help="Who plays the cells of a variant, for instance sft=kate/my-adapter; may be given again.",
)
@click.option("--model-base-url", "base_url", help="Where the models are served.")
@click.option("-M", "model_args", multiple=True, metavar="NAME=VALUE", help="Arguments of the models.")
@click.option(
    "--dry-run", is_flag=True, help="Only show the cells, what is there and what the rest will cost."
)
@click.option("--log-dir", type=click.Path(path_type=Path), help="By default logs/NAME of the file.")
@click.option("--limit", type=click.IntRange(1), help="Samples of each category (AppWorld: difficulty).")
@click.option("--epochs", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--world",
    type=click.Choice(["real", "mini"]),
    default="real",
    show_default=True,
    help="AppWorld's published tasks, or our own: mini_test in place of both test splits.",
)
@click.option("--writer", help="The model that writes knowledge; by default the first --model.")
@click.option(
    "--bank", type=click.Path(path_type=Path), help="A bank that is there, instead of building one."
)
@click.option(
    "--embedder", default="lexical", show_default=True, help="Of the bank: lexical, minilm, openai:MODEL."
)
@click.option(
    "--max-samples", type=click.IntRange(1), default=32, show_default=True, help="At once, of a cell."
)
@click.option("--max-connections", type=click.IntRange(1), help="Requests at once to a model.")
@click.option("--max-tasks", type=click.IntRange(1), default=2, show_default=True, help="Cells at once.")
@click.option("--retries", type=click.IntRange(0), default=2, show_default=True, help="Of a cell that fails.")
def grid(file: str, dry_run: bool, variants: tuple[str, ...], log_dir: Path | None, **options: Any) -> None:
    """Run what is missing of the grid in FILE: a file of yours, or the name of one of ours.

    Finished samples are kept whatever happens: the same command goes on where it was. The exit code
    is 1 while any cell is not finished.
    """
    from kate_eval.grid.load import load_grid
    from kate_eval.grid.options import Options
    from kate_eval.grid.plan import make_plan

    name, found = load_grid(file)
    told = Options(variants=tuple(map(_variant, variants)), log_dir=log_dir or Path("logs") / name, **options)
    console = _console()
    if dry_run:
        with console.status("Looking at what is there") if console.is_terminal else nullcontext():
            plan = make_plan(name, found, told)
        _show_plan(plan, console)
        return
    raise click.exceptions.Exit(_run(name, found, told, console))


def _variant(text: str) -> tuple[str, str]:
    name, _, model = text.partition("=")
    if not name or not model:
        raise ConfigurationError(
            f"--model-variant {text}: write it as NAME=MODEL, for instance sft=kate/my-adapter"
        )
    return name, model


def _show_plan(plan: "Plan", console: Console) -> None:
    from kate_eval.grid.table import plan_table

    console.print(plan_table(plan))
    for line in _bank_lines(plan):
        console.print(line, highlight=False, markup=False)
    console.print(f"Logs: {plan.options.log_dir}", highlight=False, markup=False)


def _bank_lines(plan: "Plan") -> Sequence[str]:
    lines = []
    for bank in plan.banks.values():
        card = bank.ready
        if card is not None:
            lines.append(f"Bank {bank.folder}: {sum(card.forms.values())} items, hash {card.items_hash}.")
            continue
        lines.append(f"Bank {bank.folder}: to be built once, of {', '.join(bank.forms)}, by {bank.writer}.")
        if bank.of_runs:
            lines.append(f"  {', '.join(bank.of_runs)}: of runs of {bank.split}, which are played first.")
        for form, cost in bank.costs().items():
            tokens = f"about {cost.input_tokens:,} input and {cost.output_tokens:,} output tokens"
            lines.append(f"  {form}: {cost.requests} requests, {tokens}.")
    return lines


def _run(name: str, found: "Grid", options: "Options", console: Console) -> int:
    """Run it.

    Returns:
        The exit code.
    """
    from kate_eval.grid.plan import make_plan, renewed
    from kate_eval.grid.run import alone, run_missing, sweep
    from kate_eval.grid.table import end_table
    from kate_eval.report.tables import SIMULATED_NOTE

    def say(line: str) -> None:
        console.print(escape(line), highlight=False, soft_wrap=True)

    plan = make_plan(name, found, options)
    with alone(options.log_dir):
        interrupted = False
        try:
            plan = _with_banks(plan, console, say)
            run_missing(plan, _display(console), say)
        except KeyboardInterrupt:
            interrupted = True
        plan = renewed(plan)
        sweep(plan.states)
    console.print(end_table(plan))
    if True in plan.simulated:
        say(("Rows of simulated/ models are " if False in plan.simulated else "") + SIMULATED_NOTE)
    if interrupted:
        say("Interrupted: finished samples are kept. Run the same command again to go on.")
        return INTERRUPTED
    unfinished = plan.to_run
    if unfinished:
        count = f"{len(unfinished)} of {len(plan.rows)}"
        say(f"{count} rows are not finished. Run the same command again to go on.")
    return 1 if unfinished else 0


def _with_banks(plan: "Plan", console: Console, say: "Say") -> "Plan":
    """The plan, once the banks that it needs are built; says what that takes, and what came of it."""
    from kate_eval.grid.supply import supplied

    missing = [bank for bank in plan.banks.values() if bank.ready is None]
    for line in _bank_lines(plan) if missing else ():
        say(line)
    with console.status("Building the bank") if missing and not _runs(missing) else nullcontext() as status:
        written = count(1)

        def tick(done: bool) -> None:
            if status is not None:
                status.update(f"Building the bank: {next(written)} items written")

        plan = supplied(plan, _display(console), say, tick)
    for bank in missing:
        if (card := bank.ready) is not None:
            say(f"Built {bank.folder}: {card.forms}, failed {card.failed or 'none'}, hash {card.items_hash}.")
    return plan


def _runs(banks: "Sequence[GridBank]") -> bool:
    """Whether something is played meanwhile, which has a display of its own."""
    return any(bank.of_runs for bank in banks)


def _display(console: Console) -> str:
    return "rich" if console.is_terminal else "none"
