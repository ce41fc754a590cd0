"""Rows as a folder on disk, which one writer at a time replaces in one step.

card.json              what the rows are made of, and the names of the files that belong to it
train-<hash>.jsonl     one row a line
held_out-<hash>.jsonl  the rows of the clusters that are held out, if any
README.md              the card for people; its front matter makes `datasets.load_dataset(FOLDER)` work
journal.jsonl          the teacher's answers, already paid for (knowledge/acquire/journal.py)

Data files are named by their hash and written before the card, whose replacement is the commit: a crash
leaves the old card with its files.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from kate_eval.errors import RowsError
from kate_eval.knowledge.files import Files
from kate_eval.knowledge.folder import JOURNAL, write_whole
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.card import SCHEMA_VERSION, RowsCard, readme

CARD = "card.json"
LOCK_SECONDS = 0.5
MAKE = "Make them: kate train rows BENCHMARK --split SPLIT -o FOLDER (bfcl or appworld)"
FILES = Files(RowsError, MAKE, re.compile(r"(train|held_out)-[0-9a-f]{16}\.jsonl"))
_OWN = re.compile(r"\.lock|README\.md|card\.json|(train|held_out)-.*|\..*\.partial|" + re.escape(JOURNAL))


@dataclass(frozen=True)
class RowsFolder:
    """Rows with their card.

    Attributes:
        train: to learn from.
        held_out: of other scenarios, to evaluate on.
        card: what they are made of.
        folder: where they are.
    """

    train: list[Row]
    held_out: list[Row]
    card: RowsCard
    folder: Path

    @property
    def hash(self) -> str:
        """SHA-256 of the rows: 16 hex digits."""
        return self.card.rows_hash


def is_rows(folder: Path) -> bool:
    """Whether there are finished rows in the folder."""
    return (folder / CARD).is_file()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Be the folder's only writer for the time of the block.

    Raises:
        RowsError: another process writes it, or it holds something else.
    """
    if folder.is_dir():
        foreign = sorted(path.name for path in folder.iterdir() if not _OWN.fullmatch(path.name))
        if foreign:
            raise RowsError(f"{folder} holds other files ({foreign[0]}): choose another folder")
        if is_rows(folder):
            read_card(folder)  # a bank has a card too
    elif folder.exists():
        raise RowsError(f"{folder} is a file: choose another folder")
    with FILES.alone(folder, LOCK_SECONDS):
        yield


def save_rows(folder: Path, train: Sequence[Row], held_out: Sequence[Row], card: RowsCard) -> RowsFolder:
    """Write rows, in place of those that may be there; for the folder's only writer (`writing`).

    Args:
        folder: to write to.
        train: to learn from.
        held_out: of other clusters; may be none.
        card: files, hash and date are filled in.

    Raises:
        RowsError: there are no rows, two have one id, or a cluster is in both parts.
        OSError: a file could not be written; older rows are still whole.
    """
    if not train:
        raise RowsError("There are no rows to learn from")
    _check_apart(train, held_out, str(folder))
    parts = {"train": _lines(train), "held_out": _lines(held_out)}
    files = {name: f"{name}-{_hash(data)}.jsonl" if data else "" for name, data in parts.items()}
    filled = card.model_copy(
        update={
            "train_file": files["train"],
            "held_out_file": files["held_out"],
            "rows_hash": _hash(*parts.values()),
            "created": card.created or date.today().isoformat(),
        }
    )
    for name, data in parts.items():
        if data:
            write_whole(folder / files[name], data)
    write_whole(folder / "README.md", readme(filled).encode())
    write_whole(folder / CARD, (filled.model_dump_json(indent=2) + "\n").encode())
    for old in [*folder.glob("train-*.jsonl"), *folder.glob("held_out-*.jsonl")]:
        if old.name not in files.values():
            old.unlink(missing_ok=True)
    return RowsFolder(list(train), list(held_out), filled, folder)


def _lines(rows: Iterable[Row]) -> bytes:
    return "".join(row.model_dump_json() + "\n" for row in rows).encode()


def _hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def read_card(folder: Path) -> RowsCard:
    """The card of finished rows, without them.

    Raises:
        RowsError: it is missing, corrupt, or of another schema.
    """
    file = folder / CARD
    if not file.is_file():
        if (folder / JOURNAL).is_file():
            raise RowsError(f"The rows in {folder} are not finished: run the same `kate train rows` again")
        raise RowsError(f"No rows in {folder}. {MAKE}")
    return FILES.card(file, RowsCard, SCHEMA_VERSION)


def load_rows(folder: Path) -> RowsFolder:
    """Read rows and check them against their card.

    Raises:
        RowsError: they are missing, corrupt, or of another schema; names the file, line and field.
    """
    card = read_card(folder)
    try:
        parts = {
            name: (folder / FILES.own_name(file, folder / CARD)).read_bytes() if file else b""
            for name, file in (("train", card.train_file), ("held_out", card.held_out_file))
        }
    except FileNotFoundError as ex:
        raise RowsError(f"Can't read {ex.filename}, which card.json names. {MAKE}") from ex
    train = FILES.lines(parts["train"], folder / card.train_file, Row.model_validate_json)
    held_out = FILES.lines(parts["held_out"], folder / card.held_out_file, Row.model_validate_json)
    if _hash(*parts.values()) != card.rows_hash:
        raise RowsError(f"The rows in {folder} are not what card.json describes (hash differs). {MAKE}")
    _check_apart(train, held_out, str(folder))
    return RowsFolder(train, held_out, card, folder)


def _check_apart(train: Sequence[Row], held_out: Sequence[Row], place: str) -> None:
    ids: set[str] = set()
    for row in [*train, *held_out]:
        if row.id in ids:
            raise RowsError(f"{place}: two rows have the id {row.id!r}")
        ids.add(row.id)
    both = {row.cluster for row in train} & {row.cluster for row in held_out}
    if both:
        raise RowsError(
            f"{place}: the scenario {min(both)!r} is in the training rows and in the held-out ones"
        )
