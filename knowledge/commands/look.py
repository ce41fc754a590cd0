"""`kate knowledge show` and `search`: what is in a bank, and what a solver would find in it."""

import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import anyio
import click
from rich.console import Console
from rich.table import Table

from kate_eval.errors import ConfigurationError, unknown

console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
Folder = click.Path(path_type=Path)


@click.command("show")
@click.argument("bank", type=Folder)
@click.argument("item", required=False)
def show(bank: Path, item: str | None) -> None:
    """What is in BANK; with the id of an ITEM, all of that item."""
    from kate_eval.knowledge.folder import load_bank
    from kate_eval.knowledge.render import render_case, tokens

    held = load_bank(bank)
    if item is not None:
        found = next((one for one in held.items if one.id == item), None)
        if found is None:
            near = [one.id for one in held.items if item in one.id][:10]
            raise unknown("item", item, near, f"See: kate knowledge show {bank}")
        console.print(found.model_dump_json(indent=2), markup=False)
        console.print(f"\nAs a model is shown it:\n{render_case([found])}", markup=False)
        return
    card = held.card
    console.print(
        f"{bank}: {card.benchmark} {card.split}, {len(held.items)} items from {len(card.sources)} entries, "
        f"made {card.created}, hash {card.items_hash}\n"
        f"embedder {card.embedder.name}, threshold {card.embedder.threshold} ({card.embedder.calibration})\n"
        f"models: {', '.join(card.models) or 'none (gold)'}; failed: {dict(card.failed) or 'none'}; "
        f"{card.license}",
        markup=False,
    )
    table = Table("Form", "Items", "Tokens: median", "p95", "longest", "First item")
    for form, count in card.forms.items():
        items = [one for one in held.items if one.form == form]
        sizes = sorted(tokens(render_case([one])) for one in items)
        p95 = sizes[min(len(sizes) - 1, round(0.95 * len(sizes)))]
        table.add_row(
            form, str(count), str(round(statistics.median(sizes))), str(p95), str(sizes[-1]), items[0].id
        )
    console.print(table)
    classes = Counter((name, one.form) for one in held.items for name in one.classes)
    if classes:
        _class_table(classes, list(card.forms))
    origins = Counter((one.origin.kind, one.origin.success) for one in held.items)
    for (kind, success), count in sorted(origins.items()):
        console.print(f"{count} items from {kind}, {'right' if success else 'failed'}")


def _class_table(classes: Counter[tuple[str, str]], forms: Sequence[str]) -> None:
    table = Table("Class or app", *forms)
    for name in sorted({name for name, _ in classes}):
        table.add_row(name, *(str(classes[name, form]) for form in forms))
    console.print(table)


@click.command("search")
@click.argument("bank", type=Folder)
@click.argument("text")
@click.option("--classes", default="", help="Items must share one of these, comma-separated.")
@click.option("--form", help="Knowledge form; by default each.")
@click.option("-k", default=3, show_default=True, type=click.IntRange(1))
@click.option("--threshold", type=float, help="By default the bank's own.")
@click.option("--match", default="embedder", show_default=True, help="embedder or hybrid.")
@click.option("--select", default="top", show_default=True, help="top, diverse or cover.")
@click.option("--embedder", help="Check that the bank is embedded by this one.")
def search(
    bank: Path,
    text: str,
    classes: str,
    form: str | None,
    k: int,
    threshold: float | None,
    match: str,
    select: str,
    embedder: str | None,
) -> None:
    """The items of BANK that are most similar to TEXT, as a solver would find them."""
    from kate_eval.knowledge.embed import make_embedder
    from kate_eval.knowledge.folder import load_bank
    from kate_eval.knowledge.render import render_case
    from kate_eval.knowledge.retrieve import MATCHES, Retriever
    from kate_eval.knowledge.select import SELECTORS

    for name, value, choices in (("match", match, MATCHES), ("select", select, SELECTORS)):
        if value not in choices:
            raise unknown(name, value, choices)
    held = load_bank(bank)
    if embedder is not None and embedder != held.card.embedder.name:
        # The lexical embedder makes no vectors, so there is nothing to hand over for it.
        Retriever(held, make_embedder(embedder) if embedder != "lexical" else None)
        raise ConfigurationError(f"The bank is embedded by {held.card.embedder.name!r}, not by {embedder!r}")
    retriever = Retriever(held)
    query = anyio.run(retriever.query, text)
    wanted = frozenset(filter(None, (name.strip() for name in classes.split(","))))
    level = held.card.embedder.threshold if threshold is None else threshold
    if form is not None:
        held.require_forms([form])
    for name in [form] if form else list(held.card.forms):
        found = retriever.search(query, name, wanted, k, level, match=match, select=select)
        console.print(f"{name}: {len(found)} above {level}", style="bold")
        for hit in found:
            console.print(f"{hit.similarity:.3f}  {hit.item.id}", markup=False)
            console.print(f"{render_case([hit.item])}\n", markup=False, style="dim")
