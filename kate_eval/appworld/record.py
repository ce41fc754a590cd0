"""Demonstrations: tasks' own solutions run piece by piece, recorded at set-up beside the data.

Trajectories for banks are made of them, and the simulated endpoint plays them. They are ground truth: no
agent's process sees the folder.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio

from kate_eval.appworld import data, places
from kate_eval.appworld.sessions import demonstrate
from kate_eval.errors import DatasetError, EngineError, KateError

AT_ONCE = 4
RECORDED = {"real": ("train", "dev"), "mini": places.SPLITS["mini"]}
"""World -> the splits whose solutions are published."""
_NOT_LOADED = re.compile(r"AppWorld: (SyntaxError|IndentationError|Exception: .*doesn't exist)")
"""What the engine says of a solution that can't be loaded: it will say so every time."""


def folder(world: str) -> Path:
    """Where a world's demonstrations are."""
    return places.cache() / world / "demonstrations"


async def record(world: str, splits: Sequence[str], say: Callable[[str], None]) -> None:
    """Record what is missing of the splits' demonstrations, or was recorded of other data.

    Raises:
        EngineError: some could not be recorded; the others are.
        OSError: one could not be written.
    """
    hashes = {i: data.data_hash([i], world) for split in splits for i in data.task_ids(split)}
    missing = [task_id for task_id, wanted in hashes.items() if _recorded_of(world, task_id) != wanted]
    folder(world).mkdir(parents=True, exist_ok=True)
    if missing:
        say(f"Recording the solutions of {len(missing)} tasks.")
    limiter = anyio.CapacityLimiter(AT_ONCE)
    failed: dict[str, Exception] = {}
    done = 0

    async def one(task_id: str) -> None:
        nonlocal done
        async with limiter:
            try:
                _write(world, task_id, {"data_hash": hashes[task_id], **await _demonstration(world, task_id)})
            except (KateError, OSError) as ex:
                failed[task_id] = ex
        done += 1
        if done % 25 == 0 or done == len(missing):
            say(f"  demonstrations {done}/{len(missing)}")

    async with anyio.create_task_group() as group:
        for task_id in missing:
            group.start_soon(one, task_id)
    if failed:
        raise _failure(failed)


async def _demonstration(world: str, task_id: str) -> dict[str, Any]:
    try:
        return await demonstrate(world, task_id)
    except EngineError as ex:
        if not _NOT_LOADED.match(str(ex)):
            raise
        # Of the published tasks some have no solution that runs; a bank does without them.
        return {"steps": [], "apps": [], "success": False, "failure": str(ex)}


def _failure(failed: dict[str, Exception]) -> Exception:
    """One error for all tasks that failed; a disk's error stays one."""
    for ex in failed.values():
        if isinstance(ex, OSError):
            return ex
    reasons = "; ".join(f"{task_id} ({ex})" for task_id, ex in sorted(failed.items()))
    return EngineError(
        f"The solutions of {len(failed)} AppWorld tasks could not be recorded: {reasons}. "
        "Run the set-up again: what is recorded stays"
    )


def _write(world: str, task_id: str, found: dict[str, Any]) -> None:
    kept = {name: value for name, value in found.items() if name != "id"}
    aside = _file(world, task_id).with_suffix(".partial")
    aside.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    aside.replace(_file(world, task_id))


def _recorded_of(world: str, task_id: str) -> str | None:
    """The hash of the data that a task's demonstration was recorded of; None if there is none."""
    try:
        return str(load_demonstration(world, task_id).get("data_hash"))
    except DatasetError:
        return None


def load_demonstration(world: str, task_id: str) -> dict[str, Any]:
    """A task's demonstration: steps (code, output), apps, success; no steps if its solution does not run.

    Raises:
        DatasetError: none is recorded, or it is corrupt.
    """
    return read_demonstration(_file(world, task_id))


def read_demonstration(file: Path) -> dict[str, Any]:
    """The demonstration in a file.

    Raises:
        DatasetError: there is none, or it is corrupt.
    """
    try:
        found: dict[str, Any] = json.loads(file.read_bytes())
        if not all(isinstance(step["code"], str) for step in found["steps"]):
            raise TypeError("a step's code is no text")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as ex:
        splits = ", ".join(split for splits in RECORDED.values() for split in splits)
        raise DatasetError(
            f"No demonstration of task {file.stem} is recorded ({ex!r}). They are made at set-up, of splits "
            f"with published solutions ({splits}): kate appworld setup, or kate appworld setup --mini"
        ) from ex
    return found


def _file(world: str, task_id: str) -> Path:
    return folder(world) / f"{task_id}.json"
