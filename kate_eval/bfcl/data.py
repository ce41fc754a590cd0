"""BFCL-V3's entries, read from the data files in the bfcl-eval wheel (V4's files are a superset).

Documents are shared between entries and must not be changed; a copy is made where the model's view
differs (language hints). Source: bfcl-eval 2026.3.23, `utils.load_dataset_entry`.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kate_eval.bfcl import engine
from kate_eval.bfcl.categories import CATEGORIES, Split, has_gold, in_split, is_multi_turn
from kate_eval.errors import DatasetError

FILE_PREFIX = "BFCL_v4_"
MAX_SHOWN = 80
"""Characters of an unknown id that an error shows."""

BROKEN_GOLD = frozenset(
    {
        "simple_java_36",
        "simple_java_64",
        "simple_java_65",
        "live_simple_106-63-0",
        "live_simple_112-68-0",
        "live_multiple_862-181-3",
        "live_multiple_964-207-0",
        # Passes the checker, but needs a function two turns before the model is offered it.
        "multi_turn_miss_func_49",
    }
)
"""Entries that no honest answer passes, in bfcl-eval 2026.3.23 (a test recomputes the list)."""


@dataclass(frozen=True)
class Entry:
    """One benchmark entry.

    Attributes:
        id: official id, for instance "multi_turn_base_12" or "live_simple_19-3-15".
        category: one of the 17 categories.
        index: position in its category's file, from 0.
        turns: per user turn the messages ({"role", "content"}); empty where functions are added.
        functions: docs of the functions offered from the start (without language hints).
        held_out: turn index -> docs of the functions offered from that turn on.
        classes: executable classes involved; empty for single-turn entries.
        initial_config: class -> scenario it starts from.
        gold: multi-turn: per turn the call strings; single-turn: possible answers; () without gold.
    """

    id: str
    category: str
    index: int
    turns: tuple[tuple[dict[str, Any], ...], ...]
    functions: tuple[dict[str, Any], ...]
    held_out: dict[int, tuple[dict[str, Any], ...]]
    classes: tuple[str, ...]
    initial_config: dict[str, Any]
    gold: tuple[Any, ...]

    @property
    def multi_turn(self) -> bool:
        """Whether the entry is played over several turns in executable classes."""
        return is_multi_turn(self.category)

    @property
    def long_context(self) -> bool:
        """Whether its classes are filled with long-context data."""
        return self.category == "multi_turn_long_context"

    @property
    def cluster(self) -> str:
        """The underlying entry: the four multi-turn categories vary the same 200 scenarios."""
        return f"multi_turn_{self.index}" if self.multi_turn else self.id

    @property
    def broken_gold(self) -> bool:
        """Whether no honest answer can pass (see BROKEN_GOLD)."""
        return self.id in BROKEN_GOLD


def siblings(entry_id: str) -> frozenset[str]:
    """Ids of the entries that vary the same scenario, the entry itself included."""
    stem, _, index = entry_id.rpartition("_")
    if not is_multi_turn(stem):
        return frozenset({entry_id})
    return frozenset(
        f"multi_turn_{kind}_{index}" for kind in ("base", "miss_func", "miss_param", "long_context")
    )


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.strip()]
    except (OSError, ValueError) as ex:
        raise DatasetError(f"Can't read {path}: {ex}. {engine.SETUP}") from ex


@cache
def class_docs(class_name: str) -> tuple[dict[str, Any], ...]:
    """The function docs of an executable class (shared; don't change them)."""
    file = engine.official().doc_files[class_name]
    return tuple(_read(engine.data_folder() / "multi_turn_func_doc" / file))


def _functions(
    raw: dict[str, Any],
) -> tuple[tuple[dict[str, Any], ...], dict[int, tuple[dict[str, Any], ...]]]:
    """The docs offered from the start, and those held out until a turn."""
    if "function" in raw:
        return tuple(raw["function"]), {}
    docs = [doc for name in raw["involved_classes"] for doc in class_docs(name)]
    held_out: dict[int, tuple[dict[str, Any], ...]] = {}
    for turn, names in raw.get("missed_function", {}).items():
        held_out[int(turn)] = tuple(doc for name in names for doc in docs if doc["name"] == name)
        docs = [doc for doc in docs if doc["name"] not in names]
    return tuple(docs), held_out


@cache
def load_category(category: str) -> tuple[Entry, ...]:
    """All entries of a category, in official order.

    Raises:
        DatasetError: bfcl-eval is missing or its data is corrupt.
    """
    folder = engine.data_folder()
    file = f"{FILE_PREFIX}{category}.json"
    gold: list[Any] = []
    raw_entries = _read(folder / file)
    if has_gold(category):
        gold = [raw["ground_truth"] for raw in _read(folder / "possible_answer" / file)]
        if len(gold) != len(raw_entries):
            raise DatasetError(f"{file}: {len(raw_entries)} entries but {len(gold)} answers. {engine.SETUP}")
    entries = []
    for index, raw in enumerate(raw_entries):
        functions, held_out = _functions(raw)
        entries.append(
            Entry(
                id=raw["id"],
                category=category,
                index=index,
                turns=tuple(tuple(turn) for turn in raw["question"]),
                functions=functions,
                held_out=held_out,
                classes=tuple(raw.get("involved_classes", ())),
                initial_config=raw.get("initial_config", {}),
                gold=tuple(gold[index]) if gold else (),
            )
        )
    return tuple(entries)


def load(categories: Sequence[str], split: Split = "all") -> Iterator[Entry]:
    """The entries of the categories that belong to the split."""
    for category in categories:
        yield from (entry for entry in load_category(category) if in_split(entry.index, split))


@cache
def _by_id(category: str) -> dict[str, Entry]:
    return {entry.id: entry for entry in load_category(category)}


def load_entry(entry_id: str) -> Entry:
    """The entry with this id.

    Raises:
        DatasetError: there is none.
    """
    category = entry_id.rpartition("_")[0]
    found = _by_id(category).get(entry_id) if category in CATEGORIES else None  # the id may be anybody's
    if found is None:
        raise DatasetError(f"BFCL-V3 has no entry {entry_id[:MAX_SHOWN]!r}")
    return found


@cache
def data_hash(categories: tuple[str, ...]) -> str:
    """SHA-256 over the data files of the categories (questions, answers, function docs): 16 hex digits."""
    folder = engine.data_folder()
    names = [f"{FILE_PREFIX}{category}.json" for category in categories]
    files = [folder / name for name in names]
    files += [folder / "possible_answer" / name for name in names]
    if any(is_multi_turn(category) for category in categories):
        files += sorted((folder / "multi_turn_func_doc").glob("*.json"))
    digest = hashlib.sha256()
    for file in files:
        if file.is_file():
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
