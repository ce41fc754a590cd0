"""`kate knowledge build`: from gold or logs to a bank."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kate_eval.errors import ConfigurationError, unknown
from kate_eval.knowledge.commands.models import model_arguments, named_model, read_price
from kate_eval.knowledge.commands.terminal import INTERRUPTED, Folder, console

if TYPE_CHECKING:
    from kate_eval.knowledge.acquire.build import Asking, Built
    from kate_eval.knowledge.acquire.case import Acquired
    from kate_eval.knowledge.acquire.estimate import Estimate
    from kate_eval.knowledge.acquire.write import Tick
    from kate_eval.knowledge.embed import Embedder


@click.command("build")
@click.argument("benchmark", required=False)
@click.option(
    "--form", "forms", default="trajectory", show_default=True, help="Knowledge forms, comma-separated."
)
@click.option("--from-logs", "logs", type=Folder, multiple=True, help="Logs of our tasks, instead of gold.")
@click.option("--split", help="Of the gold: train (the default), test, dev, mini_train, ...")
@click.option(
    "--categories", help="bfcl: categories and groups, comma-separated (by default multi_turn_base)."
)
@click.option("--model", help="What writes the items, an Inspect model: vllm/..., openai/..., ...")
@click.option(
    "--model-role", "roles", multiple=True, metavar="FORM=MODEL", help="Another model for one form."
)
@click.option("--model-base-url", help="Where the models are served.")
@click.option("-M", "model_args", multiple=True, metavar="NAME=VALUE", help="Arguments of the models.")
@click.option("--max-connections", type=click.IntRange(1), help="Requests at once.")
@click.option("--max-tokens", type=click.IntRange(1), help="Of an answer, by default 3000.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="By default 0.")
@click.option("--cache", is_flag=True, help="Use Inspect's cache of answers.")
@click.option("--price", metavar="IN,OUT", help="Dollars per million tokens, where Inspect knows no price.")
@click.option("--estimate", is_flag=True, help="Only say what it would cost.")
@click.option("--retry-failed", is_flag=True, help="Ask again for items that failed in an earlier build.")
@click.option("--limit", type=click.IntRange(1), help="Only the first so many cases (user turns or tasks).")
@click.option("--embedder", default="lexical", show_default=True, help="lexical, minilm, or openai:MODEL.")
@click.option("--append", is_flag=True, help="Add to the bank in the folder, instead of replacing it.")
@click.option("--rewrite", metavar="MODEL", help="appworld: let a model rewrite each trajectory.")
@click.option("-o", "--output", type=Folder, required=True, help="Folder to write.")
def build(output: Path, **options: Any) -> None:
    """Build a bank from the gold answers of BENCHMARK (bfcl or appworld), or from logs.

    An interrupted build goes on where it was when the same command is run again; no answer is paid for twice.
    """
    try:
        _build(output, options)
    except KeyboardInterrupt:
        click.echo(_interrupted(output), err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None


def _build(output: Path, options: dict[str, Any]) -> None:
    from kate_eval.knowledge.acquire.build import FORMS
    from kate_eval.knowledge.embed import make_embedder
    from kate_eval.knowledge.folder import is_bank, read_card

    forms = [name for name in map(str.strip, options["forms"].split(",")) if name]
    if not forms:
        raise unknown("knowledge form", options["forms"], FORMS)
    embedder = make_embedder(options["embedder"])
    with console.status("Reading"):
        acquired = _acquired(options)
        asking = _asking(options)
        costs = _costs(acquired, forms, output, asking, options)
    for form, cost in costs.items():
        console.print(f"{form}: {cost}.")
    if options["estimate"]:
        if not costs:
            console.print("No model is asked.")
        return
    for form in costs:
        asking.model_of(form)
    if is_bank(output) and not options["append"]:
        console.print(
            f"This replaces the bank in {output} ({read_card(output).items_hash}); --append adds to it."
        )
    with _progress(sum(cost.requests + cost.known for cost in costs.values())) as tick:
        work = partial(_work, acquired, forms, output, embedder, replace(asking, tick=tick), options)
        built, notes = anyio.run(work)
    _report_build(output, built, notes)


def _costs(
    acquired: "Acquired", forms: Sequence[str], output: Path, asking: "Asking", options: dict[str, Any]
) -> dict[str, "Estimate"]:
    """What is to be written -> what that will cost."""
    from kate_eval.knowledge.acquire import rewrite
    from kate_eval.knowledge.acquire.build import preview
    from kate_eval.knowledge.acquire.journal import Journal

    costs = preview(acquired, forms, output, asking)
    if options["rewrite"]:
        cost = asking.estimate(rewrite.NAME, rewrite.jobs(acquired.cases), Journal(output))
        return {rewrite.NAME: cost, **costs}
    return costs


async def _work(
    acquired: "Acquired",
    forms: Sequence[str],
    output: Path,
    embedder: "Embedder | None",
    asking: "Asking",
    options: dict[str, Any],
) -> tuple["Built", Sequence[str]]:
    """The bank, and what is to be said of its cases."""
    from kate_eval.knowledge.acquire import rewrite
    from kate_eval.knowledge.acquire.build import build as build_bank

    if options["rewrite"]:
        acquired = await rewrite.rewrite(acquired, output, asking)
    built = await build_bank(acquired, forms, output, embedder, asking, options["append"])
    return built, acquired.notes


def _interrupted(output: Path) -> str:
    """What is said when the user breaks a build off."""
    from kate_eval.knowledge.acquire.journal import Journal

    journal = Journal(output)
    kept = f"{len(journal)} answers are kept in {journal.path}" if len(journal) else "no answer was kept yet"
    return f"Interrupted: {kept}. Run the same command again to go on."


def _acquired(options: dict[str, Any]) -> "Acquired":
    """The cases that the options name."""
    found = _from_logs(options) if options["logs"] else _from_gold(options)
    return replace(found, cases=found.cases[: options["limit"]])


def _from_logs(options: dict[str, Any]) -> "Acquired":
    from kate_eval.knowledge.acquire.logs import log_cases

    for name in ("categories", "rewrite", "split"):
        if options[name]:
            raise ConfigurationError(f"--{name} does not apply to --from-logs: the logs say what was played")
    return log_cases(options["logs"], options["benchmark"], console.print)


def _from_gold(options: dict[str, Any]) -> "Acquired":
    from kate_eval.knowledge.acquire import GOLD

    benchmark = options["benchmark"]
    if benchmark is None:
        raise ConfigurationError(f"Name a benchmark ({', '.join(GOLD)}), or --from-logs LOGS")
    if benchmark not in GOLD:
        raise unknown("benchmark", benchmark, GOLD)
    if options["rewrite"] and benchmark != "appworld":
        raise ConfigurationError(f"--rewrite does not apply to {benchmark}")
    categories = options["categories"].split(",") if options["categories"] else None
    return GOLD[benchmark](options["split"] or "train", categories)


def _asking(options: dict[str, Any]) -> "Asking":
    """The writing models that the options name."""
    from inspect_ai.model import GenerateConfig

    from kate_eval.knowledge.acquire import rewrite
    from kate_eval.knowledge.acquire.build import FORMS, Asking

    names = {form: options[option] for form, option in (("", "model"), (rewrite.NAME, "rewrite"))}
    for role in options["roles"]:
        form, _, name = role.partition("=")
        if form not in FORMS or not name:
            raise unknown("form in --model-role", form, FORMS, "For instance: summary=openai/gpt-4.1")
        names[form] = name
    settings = {key: options[key] for key in ("max_connections", "max_tokens", "temperature")}
    config = GenerateConfig(
        **{k: v for k, v in settings.items() if v is not None}, cache=options["cache"] or None
    )
    arguments = model_arguments(options["model_args"])
    models = {
        form: named_model(name, config=config, base_url=options["model_base_url"], **arguments)
        for form, name in names.items()
        if name
    }
    return Asking(models=models, retry_failed=options["retry_failed"], price=read_price(options["price"]))


@contextmanager
def _progress(total: int) -> Iterator["Tick | None"]:
    """A bar over what is written, which counts what failed; where nothing is, a sign of life."""
    if not total:
        with console.status("Building"):
            yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Writing", total=total)
        failed = 0

        def tick(done: bool) -> None:
            nonlocal failed
            failed += not done
            text = f"Writing ({failed} failed)" if failed else "Writing"
            progress.update(task, advance=1, description=text)

        yield tick


def _report_build(output: Path, built: "Built", notes: Sequence[str]) -> None:
    for note in notes:
        console.print(note)
    for form, written in built.written.items():
        used = f"{written.input_tokens:,} input and {written.output_tokens:,} output tokens"
        console.print(f"{form}: {len(written.items)} written, {written.reused} of them known before; {used}.")
        for reason, count in written.reasons.most_common(5):
            console.print(f"  {count} failed: {reason}")
        if written.failed:
            console.print("  Failed ones stay so, until the same command is given with --retry-failed.")
    card = built.bank.card
    forms = ", ".join(f"{form} {count}" for form, count in card.forms.items())
    console.print(
        f"{output}: {len(built.bank.items)} items ({forms}; {built.added} new) from "
        f"{len(card.sources)} entries, hash {card.items_hash}."
    )
    console.print(f"Threshold {card.embedder.threshold} ({card.embedder.name}): {card.embedder.calibration}.")
