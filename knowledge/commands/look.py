"""`kate knowledge show` and `search`: what is in a bank, and what a solver would find in it."""

import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click
from rich.table import Table

from kate_eval.errors import ConfigurationError, unknown
from kate_eval.knowledge.commands.terminal import Folder, console

if TYPE_CHECKING:
    from kate_eval.knowledge.bank import Bank


@click.command("show")
@click.argument("bank", type=Folder)
@click.argument("item", required=False)
def show(bank: Path, item: str | None) -> None:
    """What is in BANK; with the id of an ITEM, all of that item."""
    from kate_eval.knowledge.folder import load_bank
    from kate_eval.knowledge.render import render_case

    held = load_bank(bank)
    if item is not None:
        found = next((one for one in held.items if one.id == item), None)
        if found is None:
            near = [one.id for one in held.items if item in one.id][:10]
            raise unknown(
                "item", item, near or [one.id for one in held.items[:10]], f"See: kate knowledge show {bank}"
            )
        console.print(found.model_dump_json(indent=2))
        console.print(f"\nAs a model is shown it:\n{render_case([found])}")
        return
    _show_card(held, bank)
    console.print(_form_table(held))
    classes = Counter((name, one.form) for one in held.items for name in one.classes)
    if classes:
        console.print(_class_table(classes, list(held.card.forms)))
    origins = Counter((one.origin.kind, one.origin.success) for one in held.items)
    for (kind, success), count in sorted(origins.items()):
        console.print(f"{count} items from {kind}, {'right' if success else 'failed'}")


def _show_card(bank: "Bank", folder: Path) -> None:
    card = bank.card
    console.print(
        f"{folder}: {card.benchmark} {card.split}, {len(bank.items)} items from {len(card.sources)} entries, "
        f"made {card.created}, hash {card.items_hash}\n"
        f"embedder {card.embedder.name}, threshold {card.embedder.threshold} ({card.embedder.calibration})\n"
        f"models: {', '.join(card.models) or 'none (gold)'}; failed: {dict(card.failed) or 'none'}; "
        f"{card.license}"
    )


def _form_table(bank: "Bank") -> Table:
    from kate_eval.knowledge.render import render_case, tokens

    table = Table("Form", "Items", "Tokens: median", "p95", "longest")
    table.add_column("First item", overflow="fold")  # an id is there to be copied
    for form, count in bank.card.forms.items():
        items = [one for one in bank.items if one.form == form]
        sizes = sorted(tokens(render_case([one])) for one in items)
        p95 = sizes[min(len(sizes) - 1, round(0.95 * len(sizes)))]
        median = round(statistics.median(sizes))
        table.add_row(form, *map(str, (count, median, p95, sizes[-1], items[0].id)))
    return table


def _class_table(classes: Counter[tuple[str, str]], forms: Sequence[str]) -> Table:
    table = Table("Class or app", *forms)
    for name in sorted({name for name, _ in classes}):
        table.add_row(name, *(str(classes[name, form]) for form in forms))
    return table


@click.command("search")
@click.argument("bank", type=Folder)
@click.argument("text")
@click.option("--classes", default="", help="Items must share one of these, comma-separated.")
@click.option("--form", help="Knowledge form; by default each.")
@click.option("-k", default=3, show_default=True, type=click.IntRange(1))
@click.option("--threshold", type=click.FloatRange(0, 1), help="By default the bank's own.")
@click.option("--match", default="embedder", show_default=True, help="embedder or hybrid.")
@click.option("--select", default="top", show_default=True, help="top, diverse or cover.")
@click.option("--embedder", help="Check that the bank is embedded by this one.")
def search(bank: Path, text: str, **options: Any) -> None:
    """The items of BANK that are most similar to TEXT, as a solver would find them."""
    from kate_eval.knowledge.folder import load_bank
    from kate_eval.knowledge.render import render_case
    from kate_eval.knowledge.retrieve import MATCHES, Retriever, require_match
    from kate_eval.knowledge.select import SELECTORS

    match, select, form = options["match"], options["select"], options["form"]
    for name, value, choices in (("match", match, MATCHES), ("select", select, SELECTORS)):
        if value not in choices:
            raise unknown(name, value, choices)
    held = load_bank(bank)
    _require_embedder(held, options["embedder"])
    require_match(held.card.embedder.name, match)
    classes = _classes(held, options["classes"])
    if form is not None:
        held.require_forms([form])
    retriever = Retriever(held)
    query = anyio.run(retriever.query, text)
    level = held.card.embedder.threshold if options["threshold"] is None else options["threshold"]
    for name in [form] if form else list(held.card.forms):
        found = retriever.search(query, name, classes, options["k"], level, match=match, select=select)
        console.print(f"{name}: {len(found)} above {level}", style="bold")
        for hit in found:
            console.print(f"{hit.similarity:.3f}  {hit.item.id}")
            console.print(f"{render_case([hit.item])}\n", style="dim")


def _classes(bank: "Bank", names: str) -> frozenset[str]:
    """The classes that are named, checked to be among the bank's."""
    wanted = frozenset(filter(None, (name.strip() for name in names.split(","))))
    held = {name for item in bank.items for name in item.classes}
    for name in sorted(wanted - held):
        raise unknown("class", name, held, "The bank has items of these only")
    return wanted


def _require_embedder(bank: "Bank", name: str | None) -> None:
    """Check that a bank is embedded by this embedder, if one is named."""
    from kate_eval.knowledge.card import LEXICAL
    from kate_eval.knowledge.embed import make_embedder
    from kate_eval.knowledge.retrieve import Retriever

    own = bank.card.embedder.name
    if name is not None and name != own:
        # The lexical embedder makes no vectors, so there is nothing to hand over for it.
        Retriever(bank, make_embedder(name) if name != LEXICAL else None)
        raise ConfigurationError(f"The bank is embedded by {own!r}, not by {name!r}")
