"""`kate knowledge embed` and `merge`: other vectors, or other banks' items."""

from pathlib import Path

import anyio
import click

from kate_eval.knowledge.commands.terminal import Folder, console


@click.command("embed")
@click.argument("bank", type=Folder)
@click.option("--embedder", help="lexical, minilm, or openai:MODEL; by default the bank's own, anew.")
def embed(bank: Path, embedder: str | None) -> None:
    """Embed BANK again, with another embedder; its threshold is found again too."""
    from kate_eval.knowledge.change import reembed

    made = anyio.run(reembed, bank, embedder)
    card = made.card.embedder
    console.print(
        f"{bank}: {len(made.items)} items embedded by {card.name}, threshold {card.threshold} "
        f"({card.calibration})."
    )


@click.command("merge")
@click.argument("banks", type=Folder, nargs=-1, required=True)
@click.option("-o", "--output", type=Folder, required=True, help="Bank to write, or to add to.")
def merge(banks: tuple[Path, ...], output: Path) -> None:
    """Put the items of BANKS into one, without duplicates; ids in OUTPUT stay."""
    from kate_eval.knowledge.change import merge as merge_banks

    made, new = anyio.run(merge_banks, banks, output)
    console.print(f"{output}: {len(made.items)} items, {new} new, hash {made.card.items_hash}.")
