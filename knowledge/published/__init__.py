"""The banks that the method's authors published, as banks of ours. A file for each layout (`LAYOUTS`).

Source: KATE (arXiv 2606.10875). Of the layouts only the outline is known, so the readers take what is
there, and list what can't be mapped: nothing is dropped in silence.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kate_eval.errors import BankError, ConfigurationError
from kate_eval.knowledge.bank import Bank, make_bank
from kate_eval.knowledge.calibrate import embedder_card
from kate_eval.knowledge.card import EmbedderCard
from kate_eval.knowledge.embed import MINILM, Embedder, MiniLM
from kate_eval.knowledge.published import appworld, bfcl, intents
from kate_eval.knowledge.published.entry import Layout, Note, Reading, shown
from kate_eval.knowledge.published.vectors import DIMENSION
from kate_eval.knowledge.scenario import by_class, siblings_of

LAYOUTS: tuple[Layout, ...] = (bfcl.LAYOUT, intents.LAYOUT, appworld.LAYOUT)
"""A new layout is a file and a place here."""
MAX_BYTES = 2_000_000_000
VERIFIED = 32
"""Questions whose vectors are made anew, to compare them with the published ones."""
SAME = 0.9999
"""Cosine that these must have to be the same encoder's."""


@dataclass(frozen=True)
class Imported:
    """A bank made of a published file, and what of the file is not in it as it stands.

    Attributes:
        bank: in memory.
        notes: in the file's order; those about the whole file come first and last.
    """

    bank: Bank
    notes: tuple[Note, ...]


def read_published(path: Path, benchmark: str | None = None) -> Imported:
    """Read a published bank, whatever its layout.

    Args:
        path: the JSON file.
        benchmark: that the items are of, where the layout leaves a choice.

    Raises:
        BankError: the file can't be read, has no known layout, or holds nothing usable.
        ConfigurationError: the layout is of another benchmark.
        DatasetError: BFCL's data is not set up.
    """
    entries, repeated = _load(path)
    layout = _layout(entries, path)
    reading = Reading(path.name, _benchmark(layout, benchmark))
    for name, count in repeated.items():
        reading.note(name, "(key)", f"occurs {count} times in one object; the last is used")
    layout.read(entries, reading)
    if not reading.items:
        reasons = "; ".join(f"{note.key}: {note.field}: {note.reason}" for note in reading.notes()[:3])
        raise BankError(
            f"{path} looks like {layout.name}, but no entry gives an item. For instance: {reasons}"
        )
    bank = _bank(reading, layout)
    return Imported(bank, reading.notes())


def _load(path: Path) -> tuple[dict[str, Any], Counter[str]]:
    """The file's JSON object, and names that occur more than once in one object."""
    remedy = "Name a JSON file as it was published (not its LFS pointer, nor an archive)"
    if not path.is_file():
        raise BankError(f"There is no file {path}. {remedy}")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise BankError(f"{path} has {size:,} bytes; a bank has at most {MAX_BYTES:,}. {remedy}")
    text = path.read_bytes()
    if not text.strip():
        raise BankError(f"{path} is empty. {remedy}")
    repeated: Counter[str] = Counter()

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            repeated.update({name: count for name, count in counts.items() if count > 1})
        return made

    try:
        entries = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError, MemoryError) as ex:
        reason = shown(str(ex)) or "too large for this machine's memory"
        raise BankError(f"{path} is no JSON that can be read: {reason}. {remedy}") from ex
    if not isinstance(entries, dict) or not entries:
        raise BankError(f"{path} holds no JSON object with entries. {_known_layouts()}")
    return entries, repeated


def _layout(entries: Mapping[str, Any], path: Path) -> Layout:
    """The layout that most of the entries look like."""
    votes = [sum(layout.fits(value) for value in entries.values()) for layout in LAYOUTS]
    if not any(votes):
        keys = ", ".join(repr(shown(key, 40)) for key in list(entries)[:3])
        raise BankError(f"{path} has an unknown layout; its first keys are {keys}. {_known_layouts()}")
    return LAYOUTS[votes.index(max(votes))]


def _known_layouts() -> str:
    return "Known layouts: " + "; ".join(layout.name for layout in LAYOUTS)


def _benchmark(layout: Layout, wanted: str | None) -> str:
    if wanted is not None and wanted not in layout.benchmarks:
        raise ConfigurationError(
            f"--benchmark {wanted}: the file's layout is of {' or '.join(layout.benchmarks)} ({layout.name})"
        )
    return wanted or layout.benchmarks[0]


def _bank(reading: Reading, layout: Layout) -> Bank:
    items, vectors = reading.distinct()
    benchmark = reading.benchmark
    if vectors is None:
        embedder = embedder_card(None, items, None, siblings_of(benchmark), by_class(benchmark))
    else:
        embedder = EmbedderCard(
            name=MINILM, dimension=DIMENSION, threshold=0.5, calibration="the method's own"
        )
    return make_bank(items, layout.card(reading).model_copy(update={"embedder": embedder}), vectors)


async def verify(bank: Bank, embedder: Embedder | None = None) -> Note | None:
    """Whether the published vectors are what the encoder makes now; None if the bank has none.

    Args:
        bank: imported.
        embedder: by default MiniLM.
    """
    if bank.vectors is None:
        return None
    count = len(bank.items)
    chosen = sorted({place * count // min(VERIFIED, count) for place in range(min(VERIFIED, count))})
    try:
        fresh = await (embedder or MiniLM()).encode([bank.items[place].question for place in chosen])
    except ConfigurationError as ex:
        return Note("", "embedding", f"not verified: {ex}")
    if fresh.shape != (len(chosen), DIMENSION):
        return Note(
            "", "embedding", f"WARNING: the encoder here makes vectors of another shape, {fresh.shape}"
        )
    smallest = float(np.min(np.sum(fresh * bank.vectors[chosen], axis=1)))
    found = (
        f"smallest cosine between published and fresh vectors {smallest:.6f}, over {len(chosen)} questions"
    )
    if smallest < SAME:
        return Note(
            "",
            "embedding",
            f"WARNING: {found}: not this encoder's, or not of these questions. "
            "Embed the bank again: kate knowledge embed BANK --embedder minilm",
        )
    return Note("", "embedding", f"verified: {found}")
