"""A bank's card: what its items are made of. `card.json` is for programs, README.md for people and hubs."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from kate_eval.errors import BankError
from kate_eval.knowledge.item import Experience

SCHEMA_VERSION = 2
LEXICAL = "lexical"


class EmbedderCard(BaseModel):
    """Which embedder a bank is searched with, and its similarity threshold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = LEXICAL
    """As `embed.make_embedder` takes it."""
    dimension: int = Field(default=0, ge=0)
    """Of its vectors; 0 for the lexical one, which has none."""
    threshold: float = Field(default=0.0, ge=0, le=1)
    """Similarity in [0, 1] above which an item is injected."""
    calibration: str = "none"
    """How the threshold was found."""


class Card(BaseModel):
    """What a bank is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    benchmark: str
    split: str
    """Of the entries it was made from; "logs" for runs, "?" where that is not known."""
    categories: tuple[str, ...] = ()
    data_hash: str
    """Hash of the benchmark data the items were made from; several are joined by "+"."""
    engine: str
    """Package and version of the benchmark's engine."""
    license: str
    embedder: EmbedderCard = EmbedderCard()
    forms: dict[str, int] = {}
    """Form -> items."""
    sources: tuple[str, ...] = ()
    """Ids of the entries the items were made from."""
    models: tuple[str, ...] = ()
    """Models that wrote items, or whose runs they are."""
    failed: dict[str, int] = {}
    """Form -> items that could not be made, because no answer of the writing model could be used."""
    prompts_hash: str = ""
    """Of the texts that writing models were shown."""
    created: str = ""
    """Date, YYYY-MM-DD."""
    items_file: str = ""
    items_hash: str = ""
    """SHA-256 of the items' file, 16 hex digits."""
    embeddings_file: str = ""
    """The questions' vectors, in the items' order; none for the lexical embedder."""


def described(card: Card, items: Sequence[Experience], day: str) -> Card:
    """The card with what follows from the items filled in."""
    models = {name for item in items for name in (item.origin.model, item.origin.writer) if name}
    return card.model_copy(
        update={
            "forms": dict(sorted(Counter(item.form for item in items).items())),
            "sources": tuple(sorted({source for item in items for source in item.sources})),
            "models": tuple(sorted(models)),
            "created": day,
        }
    )


def require_alike(mine: Card, theirs: Card, embedder: str) -> None:
    """Check that items of one bank can be added to another.

    Args:
        mine: the bank that is added to.
        theirs: where the items come from.
        embedder: that the newcomers are to be embedded by.

    Raises:
        BankError: they are of another benchmark, or the bank has another embedder.
    """
    if mine.benchmark != theirs.benchmark:
        raise BankError(
            f"The bank is of {mine.benchmark}, the items are of {theirs.benchmark}: choose another folder"
        )
    if mine.embedder.name != embedder:
        raise BankError(
            f"The bank is embedded by {mine.embedder.name!r}, not by {embedder!r}: use --embedder "
            f"{mine.embedder.name}, or embed it again (kate knowledge embed)"
        )


def merged_card(mine: Card, theirs: Card) -> Card:
    """The card of a bank that gets items of another card's."""
    known = theirs.license in mine.license
    return mine.model_copy(
        update={
            "split": _joined(mine.split, theirs.split),
            "categories": tuple(sorted({*mine.categories, *theirs.categories})),
            "data_hash": _joined(mine.data_hash, theirs.data_hash),
            "engine": _joined(mine.engine, theirs.engine),
            "license": mine.license if known else f"{mine.license}; {theirs.license}",
            "failed": dict(Counter(mine.failed) + Counter(theirs.failed)),
            "created": "",
        }
    )


def _joined(one: str, other: str) -> str:
    return "+".join(sorted({*one.split("+"), *other.split("+")}))


def readme(card: Card) -> str:
    """README.md of a bank's folder: a dataset card whose front matter lets `load_dataset` find the items."""
    apache = "Apache-2.0" in card.license
    embedder = card.embedder
    rows: dict[str, Any] = {
        "Benchmark": card.benchmark,
        "Split": card.split,
        "Categories": ", ".join(card.categories) or "-",
        "Items by form": ", ".join(f"{form} {count}" for form, count in card.forms.items()),
        "Could not be made": ", ".join(f"{form} {count}" for form, count in card.failed.items()) or "none",
        "Entries it was made from": f"{len(card.sources)} (card.json names them)",
        "Models": ", ".join(card.models) or "none (gold)",
        "Embedder": f"{embedder.name}, threshold {embedder.threshold} ({embedder.calibration})",
        "Data hash": card.data_hash,
        "Engine": card.engine,
        "Made": card.created,
        "Licence": card.license,
    }
    table = "\n".join(f"| {name} | {str(value).replace('|', '/')} |" for name, value in rows.items())
    return (
        f"---\nlicense: {'apache-2.0' if apache else 'other'}\ntags:\n- kate-eval\n- agents\n"
        f"configs:\n- config_name: default\n  data_files: {card.items_file}\n---\n\n"
        f"# A kate-eval knowledge bank\n\n| | |\n|---|---|\n{table}\n\n"
        "Entries that it was made from, and their variants, must not be evaluated with it.\n"
    )
