"""A bank: experiences, the vectors of their questions, and a card that says where they come from."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kate_eval.errors import BankError
from kate_eval.knowledge.card import LEXICAL, Card, EmbedderCard, described
from kate_eval.knowledge.item import Experience

TEMPLATES = Path(__file__).parent / "prompts"
"""A form can be shown to a model if it has a template here."""
Vectors = npt.NDArray[np.float32]
UNIT = 0.01
"""How far a vector's length may be from 1."""


@dataclass(frozen=True, eq=False)
class Bank:
    """Experiences with their card. Read-only: shared by all samples of a run.

    Attributes:
        items: in a stable order.
        card: what they are made of.
        vectors: of the questions, unit length, shape (N, D); None for the lexical embedder.
        folder: where it was loaded from.
    """

    items: tuple[Experience, ...]
    card: Card
    vectors: Vectors | None = None
    folder: Path | None = None

    @cached_property
    def sources(self) -> frozenset[str]:
        """Ids of the entries that the items were made from."""
        return frozenset(source for item in self.items for source in item.sources)

    def require_forms(self, forms: Iterable[str]) -> None:
        """Check that the bank holds items of each form.

        Raises:
            BankError: it lacks one.
        """
        held = {item.form for item in self.items if (TEMPLATES / f"{item.form}.txt").is_file()}
        for form in forms:
            if form not in held:
                raise BankError(
                    f"The bank of {self.card.benchmark} {self.card.split} has no items of form {form!r}; "
                    f"it has: {', '.join(sorted(held)) or 'none that can be shown'}. Choose among them "
                    "(-S knowledge=...) or name a bank that has it (-S bank=...)."
                )


def make_bank(
    items: Iterable[Experience],
    card: Card,
    vectors: Vectors | None = None,
    folder: Path | None = None,
) -> Bank:
    """A bank of the items; what the card says of them is filled in.

    Raises:
        BankError: there are no items, two have one id, or vectors don't fit items and embedder.
    """
    kept = tuple(items)
    if not kept:
        raise BankError("A bank needs at least one item; the chosen categories, split and forms gave none")
    ids: set[str] = set()
    for item in kept:
        if item.id in ids:
            raise BankError(f"Two items have the id {item.id!r}: ids must be unique in a bank")
        ids.add(item.id)
    check_vectors(vectors, len(kept), card.embedder, str(folder or "BANK"))
    filled = described(card, kept, card.created or date.today().isoformat())
    return Bank(kept, filled.model_copy(update={"items_hash": items_hash(kept)}), vectors, folder)


def check_vectors(vectors: Vectors | None, count: int, embedder: EmbedderCard, name: str = "BANK") -> None:
    """Check that a bank's vectors are what its card says.

    Raises:
        BankError: they are missing, of another shape, or hold values that are no numbers.
    """
    if embedder.name == LEXICAL:
        return
    remedy = f"Embed it again: kate knowledge embed {name}"
    if vectors is None:
        raise BankError(f"The bank is embedded by {embedder.name!r}, but has no vectors. {remedy}")
    if vectors.shape != (count, embedder.dimension):
        raise BankError(
            f"The vectors have shape {vectors.shape}; {count} items of {embedder.name!r} need "
            f"({count}, {embedder.dimension}). {remedy}"
        )
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise BankError(f"The vector of item {int(np.argmin(finite)) + 1} holds NaN or infinity. {remedy}")
    of_unit = np.abs(np.linalg.norm(vectors, axis=1) - 1) < UNIT
    if not of_unit.all():
        raise BankError(f"The vector of item {int(np.argmin(of_unit)) + 1} is not of unit length. {remedy}")


def item_lines(items: Iterable[Experience]) -> bytes:
    """The items as JSON Lines."""
    return "".join(item.line + "\n" for item in items).encode()


def items_hash(items: Iterable[Experience]) -> str:
    """SHA-256 of the items as JSON Lines: 16 hex digits."""
    return hashlib.sha256(item_lines(items)).hexdigest()[:16]


def merged_items(held: Sequence[Experience], more: Iterable[Experience]) -> list[Experience]:
    """The items of both, without duplicates. Ids held stay; a newcomer whose id is taken gets a digest.

    Two items are duplicates if a model would be shown the same, and they were made from the same entries.
    The one that is kept is found by the classes of both.
    """
    result = list(held)
    known = {(item.content, item.sources): place for place, item in enumerate(held)}
    ids = {item.id for item in held}
    for item in more:
        key = item.content, item.sources
        if key in known:
            place = known[key]
            classes = dict.fromkeys((*result[place].classes, *item.classes))
            if len(classes) > len(result[place].classes):
                result[place] = result[place].model_copy(update={"classes": tuple(classes)})
            continue
        if item.id in ids:
            item = item.model_copy(update={"id": f"{item.id}/{digest(item.content)}"})
        known[key] = len(result)
        ids.add(item.id)
        result.append(item)
    return result


def digest(text: str) -> str:
    """Eight hex digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
