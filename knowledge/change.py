"""Changes of a bank on disk: items of other banks, another embedder. One writer at a time, in one step."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kate_eval.knowledge.bank import Bank, make_bank, merged_items
from kate_eval.knowledge.calibrate import embedder_card
from kate_eval.knowledge.card import Card, merged_card, require_alike
from kate_eval.knowledge.embed import encode, make_embedder
from kate_eval.knowledge.folder import commit, is_bank, load_bank, load_items, read_card, writing
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


async def append(
    folder: Path, items: Sequence[Experience], like: Card, known: Bank | None = None
) -> tuple[Bank, int]:
    """Add items to a bank, which is begun if there is none.

    Args:
        folder: of the bank.
        items: to be added; duplicates are dropped.
        like: a card that describes the items, and the bank if it is begun.
        known: the bank as it was last; it is not read again if the folder still holds it.

    Returns:
        The bank, and how many items are new; they are its last.

    Raises:
        BankError: the bank is of another benchmark, or another process is writing it.
        EndpointError: the embedder's endpoint failed; the bank is as it was.
    """
    with writing(folder):
        old = _held(folder, known)
        if old is not None:
            require_alike(old.card, like, old.card.embedder.name)
        held = old.items if old else ()
        made = merged_items(held, items)
        new = made[len(held) :]
        if old is not None and not new and all(one is was for one, was in zip(made, held, strict=True)):
            return old, 0
        begun = like.model_copy(update={"created": ""})
        card = merged_card(old.card, like) if old else begun
        vectors = old.vectors if old else None
        if new:
            added = await encode(make_embedder(card.embedder.name), [item.question for item in new])
            vectors = added if vectors is None or added is None else np.vstack([vectors, added])
        dimension = 0 if vectors is None else int(vectors.shape[1])
        embedder = card.embedder.model_copy(update={"dimension": dimension})
        bank = make_bank(made, card.model_copy(update={"embedder": embedder}), vectors, folder)
        return commit(bank, folder), len(new)


def _held(folder: Path, known: Bank | None) -> Bank | None:
    if not is_bank(folder):
        return None
    return known if known is not None and known.card == read_card(folder) else load_bank(folder)


async def merge(banks: Sequence[Path], output: Path) -> tuple[Bank, int]:
    """Put the items of banks into one, which keeps its embedder; its threshold is found again.

    Returns:
        The bank, and how many of its items are new.

    Raises:
        BankError: a bank can't be read, or is of another benchmark.
    """
    loaded = [load_bank(folder) for folder in banks]
    first = load_bank(output).card if is_bank(output) else loaded[0].card
    for bank in loaded:  # before anything is written
        require_alike(first, bank.card, first.embedder.name)
    new, before = 0, read_card(output).items_hash if is_bank(output) else None
    for bank in loaded:
        made, added = await append(output, bank.items, bank.card)
        new += added
    return made if made.card.items_hash == before else _recalibrated(output), new


def _recalibrated(folder: Path) -> Bank:
    """A bank with the threshold of the items that it has now."""
    with writing(folder):
        bank = load_bank(folder)
        of, name = bank.card.benchmark, bank.card.embedder.name
        found = embedder_card(make_embedder(name), bank.items, bank.vectors, siblings_of(of), by_class(of))
        return commit(
            make_bank(bank.items, bank.card.model_copy(update={"embedder": found}), bank.vectors, folder),
            folder,
        )
