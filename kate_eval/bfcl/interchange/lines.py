"""The lines of a result file. What is wrong with a line is named, and the others are read; nothing raises."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

MAX_LINE = 32 * 2**20
"""Bytes; a long-context entry with its whole inference log takes a few million."""
MAX_SHOWN = 80
"""Characters of a file's text that a message shows."""


@dataclass(frozen=True)
class Line:
    """One entry's result as it stands in a file.

    Attributes:
        number: of the line, from 1.
        entry_id: as written.
        result: as written.
    """

    number: int
    entry_id: str
    result: Any


@dataclass(frozen=True)
class Problem:
    """A line that can't be used, and why; number 0 is the whole file."""

    file: Path
    number: int
    reason: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.number}" if self.number else str(self.file)
        return f"{place}: {self.reason}"


def shown(text: object) -> str:
    """A file's text in a message: short, and without what a terminal can't show."""
    written = str(text)
    cut = written[:MAX_SHOWN] + ("..." if len(written) > MAX_SHOWN else "")
    return ascii(cut)


def read_lines(file: Path) -> Iterator[Line | Problem]:
    """The lines of a file that are not empty, one at a time.

    Raises:
        OSError: the file can't be read.
    """
    with file.open("rb") as source:
        number = 0
        while raw := source.readline(MAX_LINE):
            number += 1
            if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
                _skip_line(source)
                yield Problem(file, number, f"longer than {MAX_LINE} bytes")
            elif raw.strip():
                found = _parse(raw)
                yield Problem(file, number, found) if isinstance(found, str) else Line(number, *found)


def _skip_line(source: BinaryIO) -> None:
    while (raw := source.readline(MAX_LINE)) and not raw.endswith(b"\n"):
        pass


def _parse(raw: bytes) -> tuple[str, Any] | str:
    """An entry's id and result, or what is wrong."""
    try:
        content = json.loads(raw.decode("utf-8-sig"))
    except RecursionError:
        return "no JSON that can be read: nested too deep"
    except ValueError as ex:
        return f"no JSON: {shown(ex)}"
    if not isinstance(content, dict):
        return f"no JSON object, but {type(content).__name__}"
    if not isinstance(content.get("id"), str):
        return 'has no text under "id"'
    if "result" not in content:
        return f'{shown(content["id"])} has no "result"'
    return content["id"], content["result"]
