"""Demonstrations: tasks' own solutions run piece by piece, recorded at set-up beside the data.

Trajectories for banks are made of them, and the simulated endpoint plays them. They are ground truth: no
agent's process sees the folder.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio

from kate_eval.appworld import data, places
from kate_eval.appworld.sessions import demonstrate
from kate_eval.errors import DatasetError, EngineError

AT_ONCE = 4
RECORDED = {"real": ("train", "dev"), "mini": places.SPLITS["mini"]}
"""World -> the splits whose solutions are published."""


def folder(world: str) -> Path:
    """Where a world's demonstrations are."""
    return places.cache() / world / "demonstrations"


async def record(world: str, splits: Sequence[str], say: Callable[[str], None]) -> None:
    """Record what is missing of the splits' demonstrations."""
    ids = [task_id for split in splits for task_id in data.task_ids(split)]
    missing = [task_id for task_id in ids if not _file(world, task_id).is_file()]
    folder(world).mkdir(parents=True, exist_ok=True)
    limiter = anyio.CapacityLimiter(AT_ONCE)
    done = 0

    async def one(task_id: str) -> None:
        nonlocal done
        async with limiter:
            try:
                found = await demonstrate(world, task_id)
            except EngineError as ex:
                # Of the published tasks some have no solution that runs; a bank does without them.
                found = {"steps": [], "apps": [], "success": False, "failure": str(ex)}
            kept = {name: value for name, value in found.items() if name != "id"}
            aside = _file(world, task_id).with_suffix(".partial")
            aside.write_text(json.dumps(kept, indent=1), encoding="utf-8")
            aside.replace(_file(world, task_id))
        done += 1
        if done % 25 == 0 or done == len(missing):
            say(f"  demonstrations {done}/{len(missing)}")

    async with anyio.create_task_group() as group:
        for task_id in missing:
            group.start_soon(one, task_id)


def load_demonstration(world: str, task_id: str) -> dict[str, Any]:
    """A task's demonstration: steps (code, output), apps, success.

    Raises:
        DatasetError: none is recorded.
    """
    try:
        found: dict[str, Any] = json.loads(_file(world, task_id).read_bytes())
    except (OSError, ValueError) as ex:
        mini = " --mini" if world == "mini" else ""
        raise DatasetError(
            f"No demonstration of task {task_id} is recorded ({ex}). They are made at set-up, of splits "
            f"with published solutions ({', '.join(RECORDED[world])}): kate appworld setup{mini}"
        ) from ex
    return found


def _file(world: str, task_id: str) -> Path:
    return folder(world) / f"{task_id}.json"
