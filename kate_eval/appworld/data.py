"""AppWorld's tasks, read from the full data by the trusted host process. Agents get theirs elsewhere."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from kate_eval.appworld import places
from kate_eval.errors import DatasetError

_ID = re.compile(r"\w{1,32}_\d{1,4}", re.ASCII)
"""An id may come from anybody's log or bank; it becomes part of a path."""
MAX_SHOWN = 80
"""Characters of an unknown id that an error shows."""


@dataclass(frozen=True)
class AppTask:
    """One task.

    Attributes:
        id: "<scenario>_<number>".
        instruction: what the supervisor asks.
        supervisor: first_name, last_name, email, phone_number.
        difficulty: 1 to 3.
        asks: whether the task is a question, so that an answer is expected (ground truth).
    """

    id: str
    instruction: str
    supervisor: dict[str, str]
    difficulty: int
    asks: bool

    @property
    def scenario(self) -> str:
        """The scenario whose variant this is."""
        return scenario_of(self.id)


def scenario_of(task_id: str) -> str:
    """The scenario of a task's id."""
    return task_id.rpartition("_")[0]


def load(split: str) -> list[AppTask]:
    """The tasks of a split, in its order.

    Raises:
        ConfigurationError: no such split.
        DatasetError: its world is not set up, or its data is partial or of another version.
    """
    world = places.world_of(split)
    places.require(world)
    return [load_task(world, task_id) for task_id in task_ids(split)]


def task_ids(split: str) -> list[str]:
    """The ids of a split's tasks."""
    world = places.world_of(split)
    text = _read(places.full_data(world) / "datasets" / f"{split}.txt", world)
    return [line.split(":")[0].strip() for line in text.splitlines() if line.strip()]


@lru_cache(maxsize=4096)
def load_task(world: str, task_id: str) -> AppTask:
    """One task.

    Raises:
        DatasetError: it is missing, corrupt or of another version.
    """
    if not _ID.fullmatch(task_id):
        raise DatasetError(f"AppWorld has no task {task_id[:MAX_SHOWN]!r}")
    folder = places.full_data(world) / "tasks" / task_id
    specs, metadata, answer = (
        _read_json(folder / name, world)
        for name in ("specs.json", "ground_truth/metadata.json", "ground_truth/answer.json")
    )
    try:
        if specs["db_version"] != places.DB_VERSION:
            raise DatasetError(
                f"Task {task_id} has db_version {specs['db_version']!r}; appworld "
                f"{places.APPWORLD_VERSION} needs {places.DB_VERSION}. {_remedy(world)}"
            )
        return AppTask(
            id=task_id,
            instruction=str(specs["instruction"]),
            supervisor={name: str(value) for name, value in specs["supervisor"].items()},
            difficulty=int(metadata["difficulty"]),
            asks=answer is not None,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as ex:
        raise DatasetError(f"Task {task_id} in {folder} is corrupt ({ex!r}). {_remedy(world)}") from ex


def related(world: str, task_id: str) -> frozenset[str]:
    """Ids of all variants of a task's scenario, itself included."""
    if not _ID.fullmatch(task_id):
        return frozenset({task_id})
    folder = places.agents_data(world) / "tasks"
    return frozenset(path.name for path in folder.glob(f"{scenario_of(task_id)}_*")) | {task_id}


def data_hash(tasks: Sequence[str], world: str) -> str:
    """SHA-256 over what tasks are made of (instruction, start, evaluation): 16 hex digits."""
    digest = hashlib.sha256()
    for task_id in sorted(tasks):
        folder = places.full_data(world) / "tasks" / task_id
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            if "__pycache__" not in file.parts:
                digest.update(f"{task_id}/{file.relative_to(folder)}".encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _read(file: Path, world: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as ex:
        raise DatasetError(f"AppWorld data is incomplete: {file} ({ex}). {_remedy(world)}") from ex


def _read_json(file: Path, world: str) -> Any:
    try:
        return json.loads(_read(file, world))
    except ValueError as ex:
        raise DatasetError(f"AppWorld data is corrupt: {file} ({ex}). {_remedy(world)}") from ex


def _remedy(world: str) -> str:
    return "Set it up again: kate appworld setup --force" + (" --mini" if world == "mini" else "")
