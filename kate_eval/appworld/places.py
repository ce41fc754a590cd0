"""Where AppWorld's engine and data live: below the user's cache folder, set up by `kate appworld setup`.

Two worlds: "real" (the published tasks) and "mini" (built at set-up; its splits are called mini_...). Each
has the full data, and the agents' data: the same files without ground truth.
"""

import os
import sys
from pathlib import Path

import platformdirs

from kate_eval.errors import ConfigurationError, DatasetError, unknown

APPWORLD_VERSION = "0.1.3.post1"
SPLITS = {
    "real": ("train", "dev", "test_normal", "test_challenge"),
    "mini": ("mini_train", "mini_dev", "mini_test"),
}
"""World -> its splits."""
BENCHMARKS = {"real": "appworld", "mini": "appworld-mini"}
"""World -> the name that banks and logs have: a bank of one world says nothing about the other."""
ENGINE_CODE = Path(__file__).parent / "engine"
REQUIREMENTS = Path(__file__).parent / "requirements.txt"
CACHE_VARIABLE = "KATE_EVAL_CACHE"


def cache() -> Path:
    """The cache folder: $KATE_EVAL_CACHE, or the user's.

    Raises:
        ConfigurationError: the engine would take its path for a database in memory.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    folder = (Path(chosen) if chosen else platformdirs.user_cache_path("kate-eval")).expanduser().absolute()
    if "memory" in str(folder):
        raise ConfigurationError(
            f"The cache folder {folder} has 'memory' in its path, which the AppWorld engine takes for a "
            f"database in memory. Choose another: export {CACHE_VARIABLE}=/some/folder"
        )
    return folder / "appworld"


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


def default_bank_folder(world: str, split: str) -> Path:
    """The bank of a world's split that set-up builds."""
    return cache() / world / "banks" / split


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


def require(world: str) -> None:
    """Check that the engine and a world's data are there.

    Raises:
        DatasetError: they are not; the message names the command that sets them up.
    """
    command = "kate appworld setup" + (" --mini" if world == "mini" else "")
    if not (engine_folder() / ".done").is_file():
        raise DatasetError(f"The AppWorld engine is not set up in {engine_folder()}. Run: {command}")
    if not (cache() / world / ".done").is_file():
        raise DatasetError(f"AppWorld's {world} tasks are not set up in {cache() / world}. Run: {command}")
