"""`kate train rows`: from gold or logs to a folder of training rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from kate_eval.errors import ConfigurationError
from kate_eval.knowledge.commands.models import model_arguments, named_model, read_price
from kate_eval.knowledge.commands.terminal import INTERRUPTED, Folder, console
from kate_eval.trainers.commands.show import show_card

if TYPE_CHECKING:
    from collections.abc import Callable

    from kate_eval.knowledge.acquire.build import Asking
    from kate_eval.trainers.rows.build import Made
    from kate_eval.trainers.rows.recipe import Recipe
    from kate_eval.trainers.rows.statistics import Counter

KNOWLEDGE_OPTIONS = ("bank", "k", "threshold", "match", "select", "budget", "dropout", "irrelevant")


@click.command("rows")
@click.argument("benchmark", required=False)
@click.option("--split", help="Of the gold: train (the default), mini_train, ...; of logs: entries to take.")
@click.option("--categories", help="bfcl: categories and groups, comma-separated (by default multi_turn).")
@click.option("--mode", help="bfcl: fc (the default) or prompt.")
@click.option("--from-logs", "logs", type=Folder, multiple=True, help="What models did rightly, not gold.")
@click.option("--knowledge", help="Forms of knowledge shown in prompts, comma-separated (default: none).")
@click.option("--bank", help="Folder of the bank; by default the training half's trajectories.")
@click.option("-k", type=int, help="Items a form, by default 3.")
@click.option(
    "--threshold", type=float, help="Similarity that an item must exceed (default: the bank's own)."
)
@click.option("--match", help="embedder (the default) or hybrid.")
@click.option("--select", help="top (the default), diverse or cover.")
@click.option("--budget", type=int, help="Tokens for all experiences of a turn.")
@click.option("--dropout", type=float, help="Share of the entries that get no knowledge, by default 0.3.")
@click.option(
    "--irrelevant",
    type=float,
    help="Share of items exchanged for ones that don't qualify, by default 0.2.",
)
@click.option("--aggregation", default=0, metavar="N", help="Also rows that choose among up to N candidates.")
@click.option(
    "--reasoning-from", "teacher", metavar="MODEL", help="An Inspect model that writes reasoning and replies."
)
@click.option("--model-base-url", help="Where that model is served.")
@click.option("-M", "model_args", multiple=True, metavar="NAME=VALUE", help="Arguments of that model.")
@click.option("--max-connections", type=click.IntRange(1), help="Requests at once.")
@click.option("--max-tokens", type=click.IntRange(1), help="Of an answer, by default 3000.")
@click.option("--temperature", type=float, help="By default 0.")
@click.option("--price", metavar="IN,OUT", help="Dollars per million tokens, where Inspect knows no price.")
@click.option("--estimate", is_flag=True, help="Only say what the teacher would cost.")
@click.option("--retry-failed", is_flag=True, help="Ask again for what was refused in an earlier build.")
@click.option("--held-out", default=0.1, show_default=True, help="Share of the scenarios that is held out.")
@click.option("--seed", default=0, show_default=True, help="Of the split, the knowledge and the corruptions.")
@click.option("--tokenizer", help="Folder or name: counts tokens (by default 4 characters are one).")
@click.option("--limit", type=int, help="Only the first so many entries.")
@click.option("--allow-leakage", is_flag=True, help="Make rows of test entries too, and mark the folder.")
@click.option("-o", "--output", type=Folder, required=True, help="Folder to write.")
def rows(output: Path, **options: Any) -> None:
    """Make training rows of the gold answers of BENCHMARK (bfcl or appworld), or of logs.

    An interrupted build goes on where it was when the same command is run again; no answer of the teacher
    is paid for twice.
    """
    try:
        _rows(output, options)
    except KeyboardInterrupt:
        click.echo(_interrupted(output), err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None


def _rows(output: Path, options: dict[str, Any]) -> None:
    from kate_eval.trainers.rows.statistics import by_characters, by_tokenizer

    recipe = _recipe(options)
    asking = _asking(options)
    counter = by_tokenizer(options["tokenizer"]) if options["tokenizer"] else by_characters()
    if options["logs"]:
        made = _of_logs(recipe, output, counter, options)
    elif options["estimate"]:
        _estimate(recipe, output, asking)
        return
    else:
        made = _of_gold(recipe, output, counter, asking)
    _report(made)


def _recipe(options: dict[str, Any]) -> "Recipe":
    from kate_eval.trainers.rows.recipe import make_recipe

    knowledge = {name: options[name] for name in KNOWLEDGE_OPTIONS if options[name] is not None}
    forms = _names(options["knowledge"])
    if knowledge and not forms:
        raise ConfigurationError(
            f"--{next(iter(knowledge))} needs --knowledge FORMS, for instance --knowledge trajectory"
        )
    given = ("benchmark", "split", "mode", "seed", "held_out", "aggregation", "limit", "allow_leakage")
    return make_recipe(
        **{name: options[name] for name in given},
        categories=_names(options["categories"]),
        knowledge=knowledge | {"forms": forms, "seed": options["seed"]},
    )


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name for name in map(str.strip, (text or "").split(",")) if name not in ("", "none"))


def _asking(options: dict[str, Any]) -> "Asking":
    """The teacher that the options name, if they do."""
    from inspect_ai.model import GenerateConfig

    from kate_eval.knowledge.acquire.build import Asking

    settings = {key: options[key] for key in ("max_connections", "max_tokens", "temperature")}
    models = {}
    if options["teacher"]:
        if options["logs"]:
            raise ConfigurationError(
                "--reasoning-from does not apply to --from-logs: models wrote them already"
            )
        config = GenerateConfig(**{k: v for k, v in settings.items() if v is not None})
        arguments = model_arguments(options["model_args"])
        models[""] = named_model(
            options["teacher"], config=config, base_url=options["model_base_url"], **arguments
        )
    return Asking(models=models, retry_failed=options["retry_failed"], price=read_price(options["price"]))


def _estimate(recipe: "Recipe", output: Path, asking: "Asking") -> None:
    from kate_eval.trainers.rows.build import estimate_gold

    with console.status("Playing gold"):
        cost = anyio.run(estimate_gold, recipe, asking, output)
    console.print(f"Reasoning and replies: {cost}.")


def _of_gold(recipe: "Recipe", output: Path, counter: "Counter", asking: "Asking") -> "Made":
    from kate_eval.trainers.rows.build import make_gold_rows

    with _progress() as said:
        return anyio.run(partial(make_gold_rows, recipe, output, counter, asking, said))


def _of_logs(recipe: "Recipe", output: Path, counter: "Counter", options: dict[str, Any]) -> "Made":
    from kate_eval.trainers.rows.build import make_log_rows

    if options["estimate"]:
        raise ConfigurationError("--estimate does not apply to --from-logs: no model is asked")
    with console.status("Reading logs"):
        return anyio.run(make_log_rows, recipe, options["logs"], output, counter, console.print)


@contextmanager
def _progress() -> Iterator["Callable[[str, int, int], None]"]:
    """A bar that says what is under way."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Reading", total=None)

        def said(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield said


def _interrupted(output: Path) -> str:
    """What is said when the user breaks a build off."""
    from kate_eval.knowledge.acquire.journal import Journal

    journal = Journal(output)
    kept = f"{len(journal)} answers are kept in {journal.path}" if len(journal) else "no answer was kept yet"
    return f"Interrupted: {kept}. Run the same command again to go on."


def _report(made: "Made") -> None:
    if made.written is not None:
        written = made.written
        used = f"{written.input_tokens:,} input and {written.output_tokens:,} output tokens"
        console.print(
            f"The teacher wrote {len(written.items)} texts, {written.reused} of them known before; {used}."
        )
        for reason, count in written.reasons.most_common(5):
            console.print(f"  {count} refused: {reason}")
    show_card(made.rows.card, made.rows.folder)
