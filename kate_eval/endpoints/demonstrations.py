"""The recorded solutions that the simulated model plays AppWorld from: made at set-up, one file a task."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kate_eval.appworld import places, record
from kate_eval.errors import DatasetError, EndpointError


@dataclass(frozen=True)
class Demonstration:
    """A task's own solution, piece by piece."""

    task: str
    codes: tuple[str, ...]


def world_of(benchmark: str) -> str:
    """The world of a benchmark.

    Raises:
        EndpointError: it has none.
    """
    world = places.world_of_benchmark(benchmark)
    if world is None:
        raise EndpointError(f"The simulated model knows no world of {benchmark!r}.")
    return world


def folder_of(benchmark: str) -> Path:
    """Where a benchmark's demonstrations are.

    Raises:
        EndpointError: it has none.
    """
    return record.folder(world_of(benchmark))


def load_demonstration(folder: Path, task: str) -> Demonstration:
    """The demonstration of a task.

    Raises:
        EndpointError: none is recorded, it is corrupt, or the task's solution does not run.
    """
    file = folder / f"{task}.json"
    try:
        codes = tuple(step["code"] for step in record.read_demonstration(file)["steps"])
    except DatasetError as ex:
        raise _unplayable(task, str(ex)) from ex
    if not codes:
        raise _unplayable(task, f"its own solution does not run ({file})")
    return Demonstration(task, codes)


def load_demonstrations(folder: Path) -> Sequence[Demonstration]:
    """All demonstrations in a folder that can be played, by task id."""
    found = []
    for file in sorted(folder.glob("*.json")):
        try:
            found.append(load_demonstration(folder, file.stem))
        except EndpointError:  # a sample of that task says so
            continue
    return found


def _unplayable(task: str, reason: str) -> EndpointError:
    return EndpointError(
        f"The simulated model can play only tasks with a recorded solution, not {task}: {reason}. "
        "Each task of the mini world has one: kate appworld setup --mini"
    )
