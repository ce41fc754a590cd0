"""Builds the mini world in a folder beside its place, verifies it, and moves it there in one step."""

import gc
import hashlib
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from kate_engine.mini.clock import TODAY
from kate_engine.mini.forks import in_children
from kate_engine.mini.people import PEOPLE
from kate_engine.mini.scenario import SPLITS, Scenario
from kate_engine.mini.scenarios import SCENARIOS

VERSION = 1
"""Raise it when the world's content changes: an older build is then replaced."""
MARKER = "MINI.json"
_HALF_MADE = ".mini-build-"
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def existing(root: Path) -> dict[str, Any] | None:
    """The marker of a complete build of this version below a root, if there is one, with unchanged tasks."""
    try:
        marker: dict[str, Any] = json.loads((root / "data" / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if marker.get("version") != VERSION or marker.get("data_hash") != data_hash(root / "data"):
        return None
    return marker


def build(root: Path, progress: Progress) -> dict[str, Any]:
    """Build and verify the world, then put it at ROOT/data.

    Args:
        root: The folder that becomes the engine's root; an earlier ROOT/data is replaced at the very end.
        progress: Told of each step.

    Returns:
        The marker: version, counts and data_hash.

    Raises:
        VerificationError: A task does not behave as it must; nothing at ROOT/data was touched.
        ValueError: The root's path cannot be used, or its data folder holds something else.
    """
    if "memory" in str(root):
        # The engine takes every database path with this word in it for one in memory.
        raise ValueError(f"The root's path must not contain 'memory': {root}")
    if (root / "data").exists() and not (root / "data" / MARKER).is_file():
        # Perhaps the official data, which takes long to fetch again.
        raise ValueError(f"{root / 'data'} holds something else than a mini world; choose another root.")
    sys.dont_write_bytecode = True  # nothing outside the root is written to
    half_made = root / f"{_HALF_MADE}{os.getpid()}"
    _remove_left_overs(root)
    (half_made / "scratch").mkdir(parents=True)
    try:
        marker = _build_in(half_made, progress)
        _move(half_made / "data", root / "data", half_made / "replaced")
    finally:
        shutil.rmtree(half_made, ignore_errors=True)
    return marker


def _remove_left_overs(root: Path) -> None:
    """Remove what builds left behind that were killed."""
    for folder in root.glob(f"{_HALF_MADE}*"):
        pid = folder.name.removeprefix(_HALF_MADE)
        if pid == str(os.getpid()) or not Path(f"/proc/{pid}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _build_in(root: Path, progress: Progress) -> dict[str, Any]:
    total = sum(len(scenario.variants) for scenario in SCENARIOS)
    use_root(root)
    progress("import the engine", 0, total)
    _warm_up()
    # Children build, so that the parent of the verifying children never holds an open database.
    progress("build the base databases", 0, total)
    list(in_children([partial(_build_base, root / "data")], root / "scratch", 1))
    progress("build the tasks", 0, total)
    groups = [SCENARIOS[start::2] for start in (0, 1)]
    list(in_children([partial(_build_tasks, root / "data", group) for group in groups], root / "scratch", 2))
    _write_splits(root / "data" / "datasets")
    _warm_up_docs()

    from kate_engine.mini.verify import verify  # the engine reads its root when it is imported

    at_once = max(2, min(8, os.cpu_count() or 1))
    with closing(verify(root / "data", SCENARIOS, root / "scratch", at_once)) as verified:
        for done, task in enumerate(verified, start=1):
            progress(f"verified {task}", done, total)
    counts = Counter(scenario.split for scenario in SCENARIOS)
    marker = {
        "version": VERSION,
        "tasks": total,
        "scenarios": dict(counts),
        "engine": import_module("appworld").__version__,
        "data_hash": data_hash(root / "data"),
    }
    (root / "data" / MARKER).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")
    return marker


def use_root(root: Path) -> None:
    """Point the engine, its cache and its shell at folders below a root; must come before its import."""
    os.environ["APPWORLD_ROOT"] = str(root)
    os.environ["APPWORLD_CACHE"] = str(root / "scratch")
    os.environ["IPYTHONDIR"] = str(root / "scratch")


def _warm_up() -> None:
    """Import what every child needs, once."""
    apps = import_module("appworld.apps").get_all_apps(skip_admin=True)
    for module in ("pytest", "appworld.environment", "kate_engine.mini.verify", "kate_engine.mini.world"):
        import_module(module)
    for app in [*apps, "admin"]:
        for part in ("models", "apis"):
            import_module(f"appworld.apps.{app}.{part}")
    from appworld.collections.api_docs import ApiDocCollection

    ApiDocCollection.build(load_apps=tuple(apps))  # it and what it reads stay cached, 0.5 s for each child
    gc.freeze()


def _warm_up_docs() -> None:
    """Read the written API documents once, with the arguments with which each task reads them."""
    from appworld.apps import get_all_apps
    from appworld.collections.api_docs import ApiDocCollection

    ApiDocCollection.load(load_apps=tuple(get_all_apps(skip_admin=True)), include_response_schemas=True)
    gc.freeze()


def _build_base(data: Path) -> None:
    from appworld.apps.api_lib import set_local_date_and_time

    from kate_engine.mini.world import build_base

    set_local_date_and_time(TODAY)
    build_base(data)


def _build_tasks(data: Path, scenarios: tuple[Scenario, ...]) -> None:
    from appworld.apps.api_lib import set_local_date_and_time

    from kate_engine.mini.task_files import write_task
    from kate_engine.mini.verify import task_id
    from kate_engine.mini.world import open_task, save_task

    set_local_date_and_time(TODAY)
    for scenario in scenarios:
        for number, variant in enumerate(scenario.variants, start=1):
            id_, supervisor = task_id(scenario, number), PEOPLE[variant.supervisor]
            models = open_task(data, id_, supervisor, scenario.instruction_for(variant))
            truth = scenario.prepare(models, supervisor, variant.values)
            folder = data / "tasks" / id_
            save_task(models, folder)
            write_task(folder, scenario, variant, truth)


def _write_splits(folder: Path) -> None:
    from kate_engine.mini.verify import task_id

    folder.mkdir(parents=True)
    for split in SPLITS:
        members = [scenario for scenario in SCENARIOS if scenario.split == split]
        ids = [task_id(scenario, number) for scenario in members for number in (1, 2, 3)]
        (folder / f"{split}.txt").write_text("\n".join(ids) + "\n", encoding="utf-8")


def data_hash(data: Path) -> str:
    """16 hexadecimal digits over the names and bytes of all task files and dataset lists."""
    digest = hashlib.sha256()
    for path in sorted([*data.glob("tasks/**/*"), *data.glob("datasets/*.txt")]):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(data).as_posix()}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _move(made: Path, place: Path, aside: Path) -> None:
    if place.exists():
        place.rename(aside)
    made.rename(place)
