"""Folders of ours (banks, rows): one writer at a time; what is wrong is named by file, line and field."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from kate_eval.errors import KateError

_FIELD = re.compile(r"Value error, ([a-z_]+): (.*)", re.DOTALL)


class Identified(Protocol):
    """What stands in a line."""

    @property
    def id(self) -> str:
        """Unique in its file."""


C = TypeVar("C", bound=BaseModel)
L = TypeVar("L", bound=Identified)


@dataclass(frozen=True)
class Files:
    """How folders of one kind are read and written.

    Attributes:
        error: raised for all that is wrong.
        remedy: how to make a good one.
        name: pattern of the data files' names.
    """

    error: type[KateError]
    remedy: str
    name: re.Pattern[str]

    @contextmanager
    def alone(self, folder: Path, seconds: float) -> Iterator[None]:
        """Be the folder's only writer for the time of the block; it is made if it is not there.

        Raises:
            KateError: another writer has not finished within the seconds.
        """
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / ".lock", timeout=seconds):
                yield
        except Timeout:
            raise self.error(
                f"Another process is writing {folder}: wait for it, or choose another folder"
            ) from None

    def card(self, file: Path, model: type[C], version: int) -> C:
        """A card of a schema's version.

        Raises:
            KateError: it is of another, or corrupt.
        """
        try:
            raw = json.loads(file.read_bytes())
            found = raw.get("schema_version") if isinstance(raw, dict) else None
            if found != version:
                raise self.error(
                    f"{file} has schema version {found!r}; this version reads {version}. {self.remedy}"
                )
            return model.model_validate(raw)
        except ValidationError as ex:
            raise self.error(f"{file}: {first_error(ex)}. {self.remedy}") from ex
        except (ValueError, RecursionError) as ex:
            raise self.error(f"{file} is no JSON: {ex}. {self.remedy}") from ex

    def own_name(self, name: str, card: Path) -> str:
        """A file's name as a card gives it; a card may come from anywhere, so it must not point elsewhere.

        Raises:
            KateError: it is none of ours.
        """
        if not self.name.fullmatch(name):
            raise self.error(f"{card}: {name!r} is no name of a file in its folder. {self.remedy}")
        return name

    def lines(self, data: bytes, file: Path, parse: Callable[[str], L]) -> list[L]:
        """What stands in a file, one a line.

        Args:
            data: of the file.
            file: whose name errors say.
            parse: reads a line.

        Raises:
            KateError: a line can't be read, or two have one id.
        """
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as ex:
            raise self.error(f"{file} is no UTF-8: {ex}. {self.remedy}") from ex
        found: list[L] = []
        line_of: dict[str, int] = {}
        # Not splitlines(): it would also split at characters that JSON strings may hold, such as U+2028.
        for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], start=1):
            item = self._line(line, f"{file}, line {number}", parse)
            first = line_of.setdefault(item.id, number)
            if first != number:
                raise self.error(
                    f"{file}, line {number}: field id: {item.id!r} stands in line {first} too. {self.remedy}"
                )
            found.append(item)
        return found

    def _line(self, line: str, place: str, parse: Callable[[str], L]) -> L:
        try:
            return parse(line)
        except ValidationError as ex:
            raise self.error(f"{place}: {first_error(ex)}. {self.remedy}") from ex
        except RecursionError as ex:
            raise self.error(f"{place}: it is nested too deep. {self.remedy}") from ex


def first_error(error: ValidationError) -> str:
    """The first thing that is wrong, by its field; a check of a whole line names the field itself."""
    first = error.errors()[0]
    named = _FIELD.fullmatch(first["msg"])
    if named and not first["loc"]:
        return f"field {named[1]}: {named[2]}"
    return f"field {'.'.join(map(str, first['loc'])) or '(whole line)'}: {first['msg']}"
