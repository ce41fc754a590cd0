"""The journal of a build: each answer of a writing model, kept the moment it came.

A build that was broken off goes on from here, and a later one with more forms pays only for what is new.
One JSON object a line; a line cut off by a crash is dropped.
"""

import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from kate_eval.knowledge.folder import JOURNAL


class Entry(BaseModel):
    """One job's end: an answer that could be used, or the reason why none could."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str
    form: str
    writer: str
    answer: str = ""
    failure: str = ""
    input_tokens: int = 0
    output_tokens: int = 0


class Journal:
    """The journal of one bank's folder. Anybody may read it; only the bank's writer may add."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self._entries: dict[str, Entry] = {}
        data = self.path.read_bytes() if self.path.is_file() else b""
        self._whole = data.rfind(b"\n") + 1
        self._torn = self._whole < len(data)
        for line in data[: self._whole].split(b"\n"):
            entry = _parse(line)
            if entry is not None:
                self._entries[entry.key] = entry

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: str) -> Entry | None:
        """What is known of a job."""
        return self._entries.get(key)

    def knows(self, key: str, retry_failed: bool = False) -> bool:
        """Whether a job has ended, so that nothing has to be asked."""
        entry = self._entries.get(key)
        return entry is not None and not (entry.failure and retry_failed)

    def add(self, entry: Entry) -> None:
        """Keep a job's end; on disk when this returns."""
        self._entries[entry.key] = entry
        if self._torn:
            os.truncate(self.path, self._whole)
            self._torn = False
        with self.path.open("ab") as file:
            file.write(entry.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _parse(line: bytes) -> Entry | None:
    try:
        raw: Any = json.loads(line)
        return Entry.model_validate(raw)
    except (ValueError, ValidationError, RecursionError):
        return None
