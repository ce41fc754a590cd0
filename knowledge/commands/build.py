"""`kate knowledge build`: from gold or logs to a bank."""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kate_eval.errors import ConfigurationError, unknown

console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
Folder = click.Path(path_type=Path)


@click.command("build")
@click.argument("benchmark", required=False)
@click.option(
    "--form", "forms", default="trajectory", show_default=True, help="Knowledge forms, comma-separated."
)
@click.option("--from-logs", "logs", type=Folder, multiple=True, help="Logs of our tasks, instead of gold.")
@click.option(
    "--split", default="train", show_default=True, help="Of the gold: train, test, dev, mini_train, ..."
)
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
@click.option("--temperature", type=float, help="By default 0.")
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
    from kate_eval.knowledge.acquire.build import build as build_bank
    from kate_eval.knowledge.acquire.build import preview
    from kate_eval.knowledge.embed import make_embedder

    forms = [name.strip() for name in options["forms"].split(",") if name.strip()]
    embedder = make_embedder(options["embedder"])
    acquired = _acquired(options)
    if options["limit"]:
        acquired = replace(acquired, cases=acquired.cases[: options["limit"]])
    asking = _asking(options)
    costs = preview(acquired, forms, output, asking)
    for form, cost in costs.items():
        console.print(f"{form}: {cost}.")
    if options["estimate"]:
        return
    total = sum(cost.requests + cost.known for cost in costs.values())
    with _progress(total) as tick:
        built = anyio.run(
            build_bank, acquired, forms, output, embedder, replace(asking, tick=tick), options["append"]
        )
    _report_build(output, built, acquired.notes)


def _acquired(options: dict[str, Any]) -> Any:
    """The cases that the options name."""
    from kate_eval.knowledge.acquire import GOLD
    from kate_eval.knowledge.acquire.logs import log_cases

    benchmark = options["benchmark"]
    if options["logs"]:
        for name in ("categories", "rewrite"):
            if options[name]:
                raise ConfigurationError(f"--{name} does not apply to --from-logs")
        return log_cases(options["logs"], benchmark, console.print)
    if benchmark is None:
        raise ConfigurationError(f"Name a benchmark ({', '.join(GOLD)}), or --from-logs LOGS")
    if benchmark not in GOLD:
        raise unknown("benchmark", benchmark, GOLD)
    more: dict[str, Any] = {}
    if options["rewrite"]:
        if benchmark != "appworld":
            raise ConfigurationError(f"--rewrite does not apply to {benchmark}")
        from kate_eval.knowledge.acquire.rewrite import rewrite_split

        more["rewritten"] = anyio.run(rewrite_split, options["split"], options["rewrite"], console.print)
    categories = options["categories"].split(",") if options["categories"] else None
    return GOLD[benchmark](options["split"], categories, **more)


def _asking(options: dict[str, Any]) -> Any:
    """The writing models that the options name."""
    from inspect_ai.model import GenerateConfig, get_model

    from kate_eval.knowledge.acquire.build import FORMS, Asking

    names = {"": options["model"]} if options["model"] else {}
    for role in options["roles"]:
        form, _, name = role.partition("=")
        if form not in FORMS or not name:
            raise unknown("form in --model-role", form, FORMS, "For instance: summary=openai/gpt-4.1")
        names[form] = name
    settings = {key: options[key] for key in ("max_connections", "max_tokens", "temperature")}
    config = GenerateConfig(
        **{k: v for k, v in settings.items() if v is not None}, cache=options["cache"] or None
    )
    arguments = {name: _value(name, text) for name, text in map(_pair, options["model_args"])}
    try:
        models = {
            form: get_model(name, config=config, base_url=options["model_base_url"], **arguments)
            for form, name in names.items()
        }
    except Exception as ex:  # providers raise their own types
        raise ConfigurationError(f"The model can't be used: {ex}") from ex
    return Asking(models=models, retry_failed=options["retry_failed"], price=_price(options["price"]))


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise ConfigurationError(f"-M {text}: write it as NAME=VALUE")
    return name, value


def _value(name: str, text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as ex:
        said = " ".join(str(ex).split())
        raise ConfigurationError(f"-M {name}={text}: it is no YAML value: {said}") from ex


def _price(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        [read, written] = (float(part) for part in text.split(","))
        if not (0 <= read < math.inf and 0 <= written < math.inf):
            raise ValueError("a price is a number from 0")
    except ValueError as ex:
        raise ConfigurationError(f"--price {text}: write dollars per million tokens as IN,OUT (2,8)") from ex
    return read, written


class _Bar:
    """A progress bar over items, which counts what failed."""

    def __init__(self, total: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console)
        self._task = self._progress.add_task("Writing", total=total)
        self._failed = 0

    def __enter__(self) -> Callable[[bool], None]:
        self._progress.start()
        return self._tick

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _tick(self, done: bool) -> None:
        self._failed += not done
        text = f"Writing ({self._failed} failed)" if self._failed else "Writing"
        self._progress.update(self._task, advance=1, description=text)


def _progress(total: int) -> Any:
    """A bar where something is written; else nothing."""
    return _Bar(total) if total else nullcontext(None)


def _report_build(output: Path, built: Any, notes: Sequence[str]) -> None:
    for note in notes:
        console.print(note)
    for form, written in built.written.items():
        used = f"{written.input_tokens:,} input and {written.output_tokens:,} output tokens"
        console.print(f"{form}: {len(written.items)} written, {written.reused} of them known before; {used}.")
        for reason, count in written.reasons.most_common(5):
            console.print(f"  {count} failed: {reason}", markup=False)
    card = built.bank.card
    forms = ", ".join(f"{form} {count}" for form, count in card.forms.items())
    console.print(
        f"{output}: {len(built.bank.items)} items ({forms}; {built.added} new) from "
        f"{len(card.sources)} entries, hash {card.items_hash}."
    )
    console.print(f"Threshold {card.embedder.threshold} ({card.embedder.name}): {card.embedder.calibration}.")
