"""What the layouts share: the entries of a published file, their fields, and notes on what has no place.

Everything in such a file is data of unknown make: typed, bounded, never evaluated. What can't be used gives
a note, and the reading goes on.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import ValidationError

from kate_eval.knowledge.bank import Vectors, digest, merged_items
from kate_eval.knowledge.card import Card
from kate_eval.knowledge.files import first_error
from kate_eval.knowledge.item import Experience, Origin
from kate_eval.knowledge.published.vectors import Vector, unit_vector

LICENSE = "Published with KATE (arXiv 2606.10875); see its terms"
MAX_TEXT = 200_000
"""Characters of a text."""
MAX_NAME = 200
"""Characters of a name of a class or app."""
MAX_NAMES = 100
SHOWN = 80
"""Characters of a key or a value that a note shows."""
WHOLE = "(entry)"
"""The field of a note that is about an entry as a whole."""


@dataclass(frozen=True)
class Note:
    """Something in a file that was not taken as it stands.

    Attributes:
        key: of the entry; "" for the whole file.
        field: of the entry.
        reason: what is wrong with it, and what was done.
        count: how often it occurs.
    """

    key: str
    field: str
    reason: str
    count: int = 1


def shown(text: str, length: int = SHOWN) -> str:
    """A text of unknown make for a note: one line, without control characters, cut."""
    cut = text if len(text) <= length else text[:length] + "..."
    return "".join(char if char.isprintable() else " " for char in cut)


def kind(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list"}
    return names.get(type(value), "an object")


def require_unicode(text: str) -> None:
    """Check that files can hold a text.

    Raises:
        ValueError: they can't.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is no Unicode text") from None


def usable(value: object, length: int = MAX_TEXT) -> str:
    """A text without the space around it.

    Raises:
        ValueError: it is none, or can't be kept; the message says why.
    """
    if not isinstance(value, str):
        raise ValueError(f"{kind(value)}, where a text is wanted")
    if len(value) > length:
        raise ValueError(f"longer than {length:,} characters")
    require_unicode(value)
    return value.strip()


class Reading:
    """What was read of a file so far.

    Args:
        file: its name.
        benchmark: that its items are of.
    """

    def __init__(self, file: str, benchmark: str) -> None:
        self.benchmark = benchmark
        self.origin = Origin(kind="import", log=shown(file, 255))
        self.items: list[Experience] = []
        self._keys: list[str] = []
        self._vectors: list[Vector | None] = []
        self._notes: list[Note] = []
        self._unplaced: Counter[str] = Counter()

    def note(self, key: str, about: str, reason: str) -> None:
        """Note what was not taken as it stands."""
        self._notes.append(Note(shown(key), shown(about), reason))

    def notes(self) -> tuple[Note, ...]:
        """All notes; fields that have no place in an item once each, with a count."""
        reason = "has no place in an item; left out"
        unplaced = [Note("", shown(name), reason, count) for name, count in sorted(self._unplaced.items())]
        return (*self._notes, *unplaced)

    def entry(self, key: str, raw: object, places: Set[str]) -> "Entry | None":
        """An entry of the file; None if it is no object.

        Args:
            key: names it in notes.
            raw: the JSON value.
            places: fields that items have a place for.
        """
        if not isinstance(raw, dict):
            self.note(key, WHOLE, f"{kind(raw)}, where an object is wanted; left out")
            return None
        self.unplaced(raw, places)
        return Entry(key, raw, self)

    def unplaced(self, names: Iterable[str], places: Set[str], prefix: str = "") -> None:
        """Count the fields that no item has a place for."""
        self._unplaced.update(prefix + name for name in names if name not in places)

    def add(self, key: str, item: Experience, vector: Vector | None) -> None:
        """Take an item, with the vector of its question."""
        self._keys.append(key)
        self.items.append(item)
        self._vectors.append(vector)

    def distinct(self) -> tuple[list[Experience], Vectors | None]:
        """The items without duplicates, which are noted, and their vectors, if all have one."""
        merged = merged_items((), self.items)
        first: dict[tuple[str, tuple[str, ...]], Vector | None] = {}
        for key, item, vector in zip(self._keys, self.items, self._vectors, strict=True):
            same = item.content, item.sources
            if same in first:
                self.note(key, item.form, "the same item as an earlier entry's; kept once")
            first[same] = vector if first.get(same) is None else first[same]
        vectors = [first[item.content, item.sources] for item in merged]
        found = [vector for vector in vectors if vector is not None]
        if len(found) == len(merged):
            return merged, np.stack(found)
        self.note(
            "",
            "embedding",
            f"{len(merged) - len(found)} of {len(merged)} items have no usable embedding: the bank is "
            "lexical. For MiniLM's: kate knowledge embed BANK --embedder minilm",
        )
        return merged, None


@dataclass
class Entry:
    """An object in the file.

    Attributes:
        key: names it in notes.
        fields: as they are in the file.
        reading: takes items and notes.
        added: items that it gave.
    """

    key: str
    fields: Mapping[str, Any]
    reading: Reading
    added: int = field(default=0, init=False)

    @property
    def digest(self) -> str:
        """Eight hex digits that stand for the key in ids."""
        return digest(self.key.encode("utf-8", "backslashreplace").decode())

    def note(self, about: str, reason: str) -> None:
        """Note what was not taken as it stands."""
        self.reading.note(self.key, about, reason)

    def text(self, name: str) -> str:
        """A field's text; "" if it is absent, or can't be used, which is noted."""
        value = self.fields.get(name)
        return "" if value is None else self.checked(name, value)

    def checked(self, about: str, value: object) -> str:
        """A value's text; "" if it can't be used, which is noted."""
        try:
            return usable(value)
        except ValueError as ex:
            self.note(about, f"{ex}; left out")
            return ""

    def question(self) -> str:
        """The question, or the key that stands for it; "" if neither can be used, which is noted."""
        asked = self.text("question")
        if not asked:
            return self.checked("(key)", self.key)
        if asked != self.key.strip():
            self.note("question", "is not the entry's key; the field is used")
        return asked

    def names(self, name: str) -> tuple[str, ...]:
        """A field's names, as a list or separated by commas; sorted, those that can't be used are noted."""
        value = self.fields.get(name)
        if isinstance(value, str):
            value = value.split(",")
        if value is None or not isinstance(value, list) or len(value) > MAX_NAMES:
            wrong = f"{kind(value)}, where a list of at most {MAX_NAMES} names is wanted"
            self.note(name, "absent" if value is None else f"{wrong}; left out")
            return ()
        found: set[str] = set()
        for one in value:
            try:
                found.add(usable(one, MAX_NAME))
            except ValueError as ex:
                self.note(name, f"{ex}; left out")
        return tuple(sorted(found - {""}))

    def vector(self) -> Vector | None:
        """The question's embedding; None if it can't be used, which is noted."""
        try:
            return unit_vector(self.fields.get("embedding"))
        except ValueError as ex:
            self.note("embedding", str(ex))
            return None

    def add(self, stem: str, form: str, vector: Vector | None, **fields: Any) -> None:
        """Make an item of a form, or note why it can't be made.

        Args:
            stem: of its id; the form is added.
            form: the knowledge form.
            vector: of its question.
            fields: the item's own.
        """
        try:
            item = Experience(
                id=f"{stem}/{form}",
                form=form,
                benchmark=self.reading.benchmark,
                origin=self.reading.origin,
                **fields,
            )
            item.model_dump_json()
        except ValueError as ex:
            reason = first_error(ex) if isinstance(ex, ValidationError) else shown(str(ex))
            self.note(form, f"can't be kept as an item ({reason}); left out")
            return
        self.added += 1
        self.reading.add(self.key, item, vector)

    def close(self) -> None:
        """Note if nothing came of the entry."""
        if not self.added:
            self.note(WHOLE, "gives no item")


@dataclass(frozen=True)
class Layout:
    """One way in which banks were published.

    Attributes:
        name: in words, for messages.
        benchmarks: that its items can be of; the first by default.
        fits: whether a value at the file's top level looks like it.
        read: (the file's top level, reading) -> items and notes in the reading.
        card: items -> what is known of them as a whole.
    """

    name: str
    benchmarks: tuple[str, ...]
    fits: Callable[[object], bool]
    read: Callable[[Mapping[str, Any], Reading], None]
    card: Callable[[Reading], Card]
