"""A bank: experiences with a card that says where they come from. A folder on disk, or built in memory.

items.jsonl   one experience a line
card.json     benchmark, forms, split, sources, data hash, embedder with its threshold, items' hash
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from kate_eval.errors import BankError
from kate_eval.knowledge.item import Experience

SCHEMA_VERSION = 1
TEMPLATES = Path(__file__).parent / "prompts"
"""A form can be shown to a model if it has a template here."""
BUILD = (
    "Build it: kate knowledge build BENCHMARK --form trajectory --split SPLIT -o FOLDER (bfcl or appworld)"
)


class EmbedderCard(BaseModel):
    """Which embedder a bank is searched with, and its similarity threshold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    threshold: float
    """Similarity in [0, 1] above which an item is injected."""
    calibration: str
    """How the threshold was found."""


class Card(BaseModel):
    """What a bank is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    benchmark: str
    forms: tuple[str, ...]
    split: str
    categories: tuple[str, ...]
    data_hash: str
    """Hash of the benchmark data the items were made from."""
    engine: str
    """Package and version of the benchmark's engine."""
    embedder: EmbedderCard
    license: str
    items_hash: str
    """SHA-256 of items.jsonl, 16 hex digits."""


@dataclass(frozen=True)
class Bank:
    """Experiences with their card. Read-only: shared by all samples of a run."""

    items: tuple[Experience, ...]
    card: Card

    @cached_property
    def sources(self) -> frozenset[str]:
        """Ids of the entries that the items were made from."""
        return frozenset(item.source for item in self.items)

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

    def save(self, folder: Path) -> None:
        """Write the bank as a folder; an existing bank there is replaced only once all is written.

        Raises:
            BankError: the folder exists and is no bank.
        """
        if folder.exists() and not (folder / "card.json").is_file():
            raise BankError(f"{folder} exists and is no bank: choose another folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        try:
            (made / "items.jsonl").write_bytes(_item_lines(self.items))
            (made / "card.json").write_text(self.card.model_dump_json(indent=2) + "\n", encoding="utf-8")
            made.chmod(0o755)
            old = made.with_name(made.name + "-old")
            if folder.exists():
                folder.replace(old)
            made.replace(folder)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _item_lines(items: Iterable[Experience]) -> bytes:
    return "".join(item.model_dump_json() + "\n" for item in items).encode()


def make_bank(items: Iterable[Experience], **card: Any) -> Bank:
    """A bank of the items; forms and the items' hash are filled in.

    Raises:
        BankError: there are no items.
    """
    kept = tuple(items)
    if not kept:
        raise BankError("A bank needs at least one item; the chosen categories and split gave none")
    forms = tuple(sorted({item.form for item in kept}))
    digest = hashlib.sha256(_item_lines(kept)).hexdigest()[:16]
    return Bank(kept, Card(forms=forms, items_hash=digest, **card))


def load_bank(folder: Path) -> Bank:
    """Read a bank and check it against its card.

    Raises:
        BankError: it is missing, corrupt, or of another schema; names the file, line and field.
    """
    if not (folder / "card.json").is_file():
        found = sorted(card.parent.name for card in folder.parent.glob("*/card.json"))
        raise BankError(f"No bank in {folder}; found beside it: {', '.join(found) or 'none'}. {BUILD}")
    card = _parse_card(folder / "card.json")
    try:
        data = (folder / "items.jsonl").read_bytes()
    except OSError as ex:
        raise BankError(f"Can't read {folder / 'items.jsonl'}: {ex}. {BUILD}") from ex
    items = tuple(
        _parse_item(line, folder / "items.jsonl", number)
        # Not splitlines(): it would also split at characters that JSON strings may hold, such as U+2028.
        for number, line in enumerate(_text(data, folder).removesuffix("\n").split("\n"), start=1)
    )
    if hashlib.sha256(data).hexdigest()[:16] != card.items_hash:
        raise BankError(f"{folder / 'items.jsonl'} is not what card.json describes (hash differs). {BUILD}")
    return Bank(items, card)


def _text(data: bytes, folder: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as ex:
        raise BankError(f"{folder / 'items.jsonl'} is no UTF-8: {ex}. {BUILD}") from ex


def _parse_card(file: Path) -> Card:
    try:
        raw = json.loads(file.read_bytes())
        version = raw.get("schema_version") if isinstance(raw, dict) else None
        if version != SCHEMA_VERSION:
            raise BankError(
                f"{file} has schema version {version!r}; this version reads {SCHEMA_VERSION}. {BUILD}"
            )
        return Card.model_validate(raw)
    except ValidationError as ex:
        raise BankError(f"{file}: {_first_error(ex)}. {BUILD}") from ex
    except ValueError as ex:
        raise BankError(f"{file} is no JSON: {ex}. {BUILD}") from ex


def _parse_item(line: str, file: Path, number: int) -> Experience:
    try:
        return Experience.model_validate_json(line)
    except ValidationError as ex:
        raise BankError(f"{file}, line {number}: {_first_error(ex)}. {BUILD}") from ex


def _first_error(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"field {'.'.join(map(str, first['loc'])) or '(whole line)'}: {first['msg']}"
