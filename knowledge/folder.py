"""A bank as a folder on disk, which one writer at a time replaces in one step.

card.json               what the bank is made of, and the names of the files that belong to it
items-<hash>.jsonl      one experience a line
embeddings-<hash>.npy   the questions' vectors, float32, shape (N, D), where the embedder has any
README.md               the card for people; its front matter makes `datasets.load_dataset(FOLDER)` work
journal.jsonl           answers already paid for, while and after a model writes items (acquire/journal.py)

Data files are named by their hash and written before the card, whose replacement is the commit: a crash
leaves the old card with its files.
"""

import hashlib
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from kate_eval.errors import BankError
from kate_eval.knowledge.bank import Bank, Vectors, item_lines, make_bank
from kate_eval.knowledge.card import LEXICAL, SCHEMA_VERSION, Card, readme
from kate_eval.knowledge.files import Files
from kate_eval.knowledge.item import Experience

CARD = "card.json"
JOURNAL = "journal.jsonl"
ORDER = "order.jsonl"
"""Of an online run's memory, which is a bank too (solvers/memory.py)."""
BUILD = (
    "Build it: kate knowledge build BENCHMARK --form trajectory --split SPLIT -o FOLDER (bfcl or appworld)"
)
LOCK_SECONDS = 60.0
FILES = Files(BankError, BUILD, re.compile(r"items-[0-9a-f]{16}\.jsonl|embeddings-[0-9a-f]{16}\.npy"))


def is_bank(folder: Path) -> bool:
    """Whether there is a finished bank in the folder."""
    return (folder / CARD).is_file()


@contextmanager
def writing(folder: Path, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Be the bank's only writer for the time of the block.

    Raises:
        BankError: another writer has not finished within the seconds, or the folder is no bank.
    """
    require_place(folder)
    with FILES.alone(folder, seconds):
        yield


def require_place(folder: Path) -> None:
    """Check that a bank can be written to a folder.

    Raises:
        BankError: it is a file, or holds something else.
    """
    if folder.exists() and (not folder.is_dir() or (not is_bank(folder) and any(_foreign(folder)))):
        raise BankError(f"{folder} exists and is no bank: choose another folder")


def _foreign(folder: Path) -> Iterator[Path]:
    """Files that no build of ours leaves behind."""
    ours = (".lock", JOURNAL, "README.md", "tally.json", ORDER, "run.json")
    for path in folder.iterdir():
        partial = path.name.startswith(".") and path.name.endswith(".partial")
        if path.name not in ours and not partial and not path.name.startswith(("items-", "embeddings-")):
            yield path


def save_bank(bank: Bank, folder: Path) -> Bank:
    """Write a bank, in place of the one that may be there.

    Raises:
        BankError: the folder exists and is no bank, or another process is writing it.
        OSError: a file could not be written; an older bank is still whole.
    """
    with writing(folder):
        return commit(bank, folder)


def commit(bank: Bank, folder: Path) -> Bank:
    """Write a bank, by its only writer (`writing`)."""
    data = item_lines(bank.items)
    items_file = f"items-{bank.card.items_hash}.jsonl"
    write_whole(folder / items_file, data)
    embeddings_file = ""
    if bank.vectors is not None:
        buffer = io.BytesIO()
        np.save(buffer, bank.vectors, allow_pickle=False)
        embeddings_file = f"embeddings-{hashlib.sha256(buffer.getvalue()).hexdigest()[:16]}.npy"
        write_whole(folder / embeddings_file, buffer.getvalue())
    card = bank.card.model_copy(update={"items_file": items_file, "embeddings_file": embeddings_file})
    write_whole(folder / "README.md", readme(card).encode())
    write_whole(folder / CARD, (card.model_dump_json(indent=2) + "\n").encode())
    for old in [*folder.glob("items-*.jsonl"), *folder.glob("embeddings-*.npy")]:
        if old.name not in (items_file, embeddings_file):
            old.unlink(missing_ok=True)
    return replace(bank, card=card, folder=folder)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, also after a power cut."""
    aside = path.with_name(f".{path.name}.partial")
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def read_card(folder: Path) -> Card:
    """The card of a finished bank, without its items.

    Raises:
        BankError: it is missing, corrupt, or of another schema.
    """
    if not is_bank(folder):
        raise BankError(f"No bank in {folder}. {BUILD}")
    return FILES.card(folder / CARD, Card, SCHEMA_VERSION)


def load_bank(folder: Path) -> Bank:
    """Read a bank and check it against its card.

    Raises:
        BankError: it is missing, corrupt, or of another schema; names the file, line and field.
    """
    if not is_bank(folder):
        if (folder / JOURNAL).is_file():
            raise BankError(f"The bank {folder} is not finished: run the same `kate knowledge build` again")
        found = sorted(card.parent.name for card in folder.parent.glob(f"*/{CARD}"))
        raise BankError(f"No bank in {folder}; found beside it: {', '.join(found) or 'none'}. {BUILD}")
    card = FILES.card(folder / CARD, Card, SCHEMA_VERSION)
    try:
        return _load(folder, card)
    except FileNotFoundError:
        newer = FILES.card(folder / CARD, Card, SCHEMA_VERSION)  # a writer may have replaced the bank since
        try:
            return _load(folder, newer)
        except FileNotFoundError as ex:
            vectors = str(ex.filename).endswith(".npy")
            remedy = f"Embed it again: kate knowledge embed {folder}" if vectors else BUILD
            raise BankError(f"Can't read {ex.filename}, which card.json names. {remedy}") from ex


def _load(folder: Path, card: Card) -> Bank:
    items = _load_items(folder, card)
    vectors = _load_vectors(folder, card) if card.embedder.name != LEXICAL else None
    return replace(make_bank(items, card, vectors, folder), card=card)


def load_items(folder: Path) -> tuple[tuple[Experience, ...], Card]:
    """The items and card of a bank whose vectors may be damaged; for its writer.

    Raises:
        BankError: as for `load_bank`.
    """
    card = read_card(folder)
    try:
        return _load_items(folder, card), card
    except FileNotFoundError as ex:
        raise BankError(f"Can't read {ex.filename}, which card.json names. {BUILD}") from ex


def _load_items(folder: Path, card: Card) -> tuple[Experience, ...]:
    file = folder / FILES.own_name(card.items_file, folder / CARD)
    data = file.read_bytes()
    items = tuple(FILES.lines(data, file, Experience.model_validate_json))
    if not items:
        raise BankError(f"{file} has no items. {BUILD}")
    if hashlib.sha256(data).hexdigest()[:16] != card.items_hash:
        raise BankError(f"{file} is not what card.json describes (hash differs). {BUILD}")
    return items


def _load_vectors(folder: Path, card: Card) -> Vectors:
    remedy = f"Embed it again: kate knowledge embed {folder}"
    if not card.embeddings_file:
        raise BankError(
            f"The bank {folder} is embedded by {card.embedder.name!r}, but has no vectors. {remedy}"
        )
    file = folder / FILES.own_name(card.embeddings_file, folder / CARD)
    try:
        return _read_vectors(file)
    except FileNotFoundError:
        raise
    except (ValueError, OSError, EOFError, OverflowError) as ex:
        raise BankError(f"{file} is no numpy file of float32 (items, dimension): {ex}. {remedy}") from ex


def _read_vectors(file: Path) -> Vectors:
    """A float32 matrix; its header is checked against the file's size before anything is allocated."""
    with file.open("rb") as opened:
        version = np.lib.format.read_magic(opened)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(opened)
        if dtype != np.float32 or len(shape) != 2 or fortran:
            raise ValueError(f"it holds {dtype} of shape {shape}")
        if file.stat().st_size != opened.tell() + 4 * shape[0] * shape[1]:
            raise ValueError(f"its size does not fit its shape {shape}")
        return np.fromfile(opened, dtype=np.float32).reshape(shape)
