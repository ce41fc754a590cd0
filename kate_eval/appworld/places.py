"""Where AppWorld's engine and data live: below the user's cache folder, set up by `kate appworld setup`.

Two worlds: "real" (the published tasks) and "mini" (built at set-up; its splits are called mini_...). Each
has the full data, and the agents' data: the same files without ground truth.
"""

import os
import re
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

from kate_eval import installation
from kate_eval.appworld.stamp import STAMP, Stamp, content, files_hash, read_stamp, times
from kate_eval.errors import ConfigurationError, DatasetError, unknown
from kate_eval.installation import CACHE_VARIABLE

APPWORLD_VERSION = "0.1.3.post1"
DB_VERSION = "0.1.0"
"""Of the published data."""
SPLITS = {
    "real": ("train", "dev", "test_normal", "test_challenge"),
    "mini": ("mini_train", "mini_dev", "mini_test"),
}
"""World -> its splits."""
BENCHMARKS = {"real": "appworld", "mini": "appworld-mini"}
"""World -> the name that banks and logs have: a bank of one world says nothing about the other."""
ENGINE_CODE = Path(__file__).parent / "engine"
REQUIREMENTS = Path(__file__).parent / "requirements.txt"
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
_MINI_VERSION = re.compile(r"^VERSION = (\d+)$", re.MULTILINE)


def cache() -> Path:
    """The cache folder: $KATE_EVAL_CACHE, or the user's.

    Raises:
        ConfigurationError: the engine would take its path for a database in memory.
    """
    return (
        database_path(installation.cache(), f"Choose another: export {CACHE_VARIABLE}=/some/folder")
        / "appworld"
    )


def database_path(path: Path, remedy: str) -> Path:
    """A path below which the engine opens databases, checked.

    Raises:
        ConfigurationError: the engine would take it for a database in memory.
    """
    if "memory" in str(path):
        raise ConfigurationError(
            f"{path} has 'memory' in its path, which the AppWorld engine takes for a database in memory. "
            f"{remedy}"
        )
    return path


def scratch() -> Path:
    """Where scratch folders for the engine go: the system's place, or ours if the engine can't use it."""
    try:
        return database_path(Path(tempfile.gettempdir()), "")
    except ConfigurationError:
        folder = cache() / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def engine_environment(folder: Path) -> dict[str, str]:
    """The environment of an engine's process: nothing else of this process's (keys!) is passed on.

    Args:
        folder: its home, so that nothing is written to the user's.
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    if "TMPDIR" in inherited:
        inherited["TMPDIR"] = str(scratch())
    return {"PATH": os.defpath} | inherited | {"HOME": str(folder), "PYTHONPATH": str(ENGINE_CODE)}


def engine_folder() -> Path:
    """The engine's environment."""
    return cache() / f"engine-{APPWORLD_VERSION}-py{sys.version_info[0]}.{sys.version_info[1]}"


def engine_python() -> Path:
    """The Python of the engine's environment."""
    return engine_folder() / "bin" / "python"


def full_data(world: str) -> Path:
    """A world's data with ground truth."""
    return cache() / world / "data"


def agents_data(world: str) -> Path:
    """A world's data without ground truth."""
    return cache() / world / "agents" / "data"


def world_of(split: str) -> str:
    """The world that has this split.

    Raises:
        ConfigurationError: none has.
    """
    for world, splits in SPLITS.items():
        if split in splits:
            return world
    raise unknown("AppWorld split", split, [name for splits in SPLITS.values() for name in splits])


def world_of_benchmark(benchmark: str) -> str | None:
    """The world of a benchmark's name; None if it is no AppWorld."""
    return next((world for world, name in BENCHMARKS.items() if name == benchmark), None)


@lru_cache
def wanted_version(world: str) -> str:
    """The version of a world's data that this code is for."""
    if world == "real":
        return DB_VERSION
    code = (ENGINE_CODE / "kate_engine" / "mini" / "build.py").read_text(encoding="utf-8")
    return "".join(_MINI_VERSION.findall(code))


def databases_hash(world: str) -> str:
    """A hash over a world's base databases: by content, or of the big world by size and time."""
    folders = [full_data(world) / "base_dbs", agents_data(world) / "base_dbs"]
    return files_hash(folders, content if world == "mini" else times)


def require(world: str) -> None:
    """Check that the engine and a world's data are there, of this version, and as set-up left them.

    Raises:
        DatasetError: they are not; the message names the command that sets them up.
    """
    command = "kate appworld setup" + (" --mini" if world == "mini" else "")
    folder, wanted = cache() / world, wanted_version(world)
    if not (engine_folder() / STAMP).is_file():
        raise DatasetError(f"The AppWorld engine is not set up in {engine_folder()}. Run: {command}")
    if not (folder / STAMP).is_file():
        raise DatasetError(f"AppWorld's {world} tasks are not set up in {folder}. Run: {command}")
    stamp = read_stamp(folder)
    if stamp is None or stamp.version != wanted:
        found = stamp.version if stamp else "unknown"
        raise DatasetError(
            f"AppWorld's {world} tasks in {folder} are of version {found}; needed is {wanted}. Run: {command}"
        )
    _check_unchanged(world, folder, stamp)


@lru_cache  # once per process; an exception is not kept
def _check_unchanged(world: str, folder: Path, stamp: Stamp) -> None:
    if databases_hash(world) != stamp.databases:
        mini = "--mini " if world == "mini" else ""
        raise DatasetError(
            f"A database of AppWorld's {world} tasks in {folder} was changed since set-up. "
            f"Make them anew: kate appworld setup {mini}--force"
        )
