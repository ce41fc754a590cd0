"""Changes of a bank on disk: items of other banks, another embedder. One writer at a time, in one step."""

from collections.abc import Sequence
from pathlib import Path

from kate_eval.knowledge.bank import Bank, make_bank, merged_items
from kate_eval.knowledge.calibrate import embedder_card
from kate_eval.knowledge.card import merged_card, require_alike
from kate_eval.knowledge.embed import encode, make_embedder
from kate_eval.knowledge.folder import commit, is_bank, load_bank, load_items, writing
from kate_eval.knowledge.item import Experience
from kate_eval.knowledge.scenario import by_class, siblings_of


async def reembed(folder: Path, name: str | None) -> Bank:
    """Embed the items of a bank again; missing or damaged vectors are mended so.

    Args:
        folder: of the bank.
        name: of the embedder; None: the one that the card names.

    Raises:
        BankError: it is no bank, or another process is writing it.
        ConfigurationError: the embedder can't be used.
        EndpointError: the embedder's endpoint failed; the bank is as it was.
    """
    with writing(folder):
        items, card = load_items(folder)
        embedder = make_embedder(name or card.embedder.name)
        vectors = await encode(embedder, [item.question for item in items])
        of = card.benchmark
        found = embedder_card(embedder, items, vectors, siblings_of(of), by_class(of))
        return commit(make_bank(items, card.model_copy(update={"embedder": found}), vectors, folder), folder)


async def append(folder: Path, items: Sequence[Experience], like: Bank) -> tuple[Bank, int]:
    """Add items to a bank, which is begun if there is none.

    Args:
        folder: of the bank.
        items: to be added; duplicates are dropped.
        like: a bank whose card describes the items.

    Returns:
        The bank, and how many items are new.

    Raises:
        BankError: the bank is of another benchmark or embedder, or another process is writing it.
        EndpointError: the embedder's endpoint failed; the bank is as it was.
    """
    with writing(folder):
        if not is_bank(folder):
            made = merged_items((), items)
            card = like.card.model_copy(update={"created": "", "failed": {}})
            vectors = await encode(make_embedder(card.embedder.name), [item.question for item in made])
            return commit(make_bank(made, card, vectors, folder), folder), len(made)
        old = load_bank(folder)
        require_alike(old.card, like.card, old.card.embedder.name)
        made = merged_items(old.items, items)
        new = made[len(old.items) :]
        if not new:
            return old, 0
        embedder = make_embedder(old.card.embedder.name)
        vectors = await encode(embedder, [item.question for item in made])
        card = merged_card(old.card, like.card)
        return commit(make_bank(made, card, vectors, folder), folder), len(new)


async def merge(banks: Sequence[Path], output: Path) -> tuple[Bank, int]:
    """Put the items of banks into one, which keeps its embedder and threshold.

    Returns:
        The bank, and how many of its items are new.

    Raises:
        BankError: a bank can't be read, or is of another benchmark.
    """
    loaded = [load_bank(folder) for folder in banks]
    new = 0
    for bank in loaded:
        made, added = await append(output, bank.items, bank)
        new += added
    return made, new
