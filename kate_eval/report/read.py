"""From folders of logs to the runs of a report: the newest of each cell, parts of a run as one.

Headers are read first, and samples only of the runs that stay: a folder may hold a thousand logs.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inspect_ai.log import list_eval_logs
from inspect_ai.model import ModelUsage

from kate_eval.errors import ConfigurationError
from kate_eval.logs import SHARDS, why_unreadable
from kate_eval.report.document import Flag
from kate_eval.report.held import settled, with_held
from kate_eval.report.log import head_of, with_samples
from kate_eval.report.order import ordered
from kate_eval.report.runs import Run, Source

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """What was found in the folders.

    Attributes:
        runs: oldest first, but those of a grid in its order.
        folders: as they were given.
        notes: logs that were left out, and why.
    """

    runs: tuple[Run, ...]
    folders: tuple[str, ...] = ()
    notes: tuple[Flag, ...] = ()


def read_runs(*folders: Path) -> list[Run]:
    """The runs of our tasks below the folders, newest per cell, in the order of a report.

    Raises:
        ConfigurationError: there is no such folder, or no log of ours in it.
    """
    found = read_logs(*folders)
    for note in found.notes:
        logger.warning(note.text)
    return list(found.runs)


def read_logs(*folders: Path) -> Reading:
    """The runs of our tasks below the folders, and what was left out.

    Raises:
        ConfigurationError: there is no such folder, or no log of ours in it.
    """
    for folder in folders:
        if not folder.exists():
            raise ConfigurationError(f"No folder {folder}; logs go to ./logs unless --log-dir says otherwise")
    found = find_logs(*folders)
    if not found.runs:
        listed = ", ".join(map(str, folders))
        if found.notes and all(note.code == "unreadable" for note in found.notes):
            raise ConfigurationError("No log to report. " + "\n".join(note.text for note in found.notes))
        why = "".join(f"\n{note.text}" for note in found.notes)
        raise ConfigurationError(
            f"No kate-eval logs in {listed}; make one: inspect eval kate_eval/bfcl ...{why}"
        )
    return found


def any_logs(folders: Sequence[Path]) -> bool:
    """Whether there are logs in the folders, of whatever task."""
    return bool(_files(folders))


def find_logs(*folders: Path) -> Reading:
    """The runs of our tasks below folders (or of log files) that are there, perhaps none."""
    heads, notes = _heads(folders)
    runs = []
    for group in heads.values():
        chosen, more = _newest(group)
        notes += more
        runs += [chosen] if chosen else []
    return Reading(tuple(_distinct(ordered(_joined(runs)))), tuple(map(str, folders)), tuple(notes))


def _heads(folders: Sequence[Path]) -> tuple[dict[tuple[str, ...], list[Run]], list[Flag]]:
    """Cell -> its runs without samples, oldest first; cells in the order of their newest run."""
    found: list[tuple[tuple[str, float], Run]] = []
    notes: list[Flag] = []
    foreign = 0
    for source in _files(folders).values():
        try:
            run = head_of(source)
            run = with_held(run) if run is not None else None
        except Exception as ex:  # other software's files: a damaged one must not hide the others
            notes.append(_unreadable(source, ex))
            continue
        if run is None:
            foreign += 1
        else:
            # The time of creation has whole seconds; of two logs of one second the later written is newer.
            found.append(((run.created, source.changed), run))
    cells: dict[tuple[str, ...], list[Run]] = {}
    for run in settled([run for _, run in sorted(found, key=lambda pair: pair[0])]):
        cells[run.cell] = [*cells.pop(run.cell, []), run]
    if foreign:
        logs = "log of another task" if foreign == 1 else "logs of other tasks"
        notes.append(Flag(code="foreign", text=f"{foreign} {logs} left out"))
    return cells, notes


def _files(folders: Sequence[Path]) -> dict[str, Source]:
    """Every log below the folders once, however often a folder names it."""
    found: dict[str, Source] = {}
    for folder in folders:
        whole = folder.resolve()
        base = whole if whole.is_dir() else whole.parent
        for info in list_eval_logs(str(whole)):
            file = info.name.removeprefix("file://")  # as a URL it may not hold a "#"
            path = file.removeprefix(base.as_posix()).lstrip("/")
            found.setdefault(file, Source(file, str(folder), path, info.mtime or 0.0, info.size))
    return found


def _newest(group: Sequence[Run]) -> tuple[Run | None, list[Flag]]:
    """The newest run of a cell that can be read, which names those that it replaces.

    A run that was broken off doesn't replace one that was finished.
    """
    notes = []
    order = sorted(group, key=lambda run: run.status == "success")  # stable: of equals the newest is last
    while order:
        run = order.pop()
        try:
            chosen = with_samples(run)
        except Exception as ex:  # as above
            notes.append(_unreadable(run.sources[0], ex))
            continue
        return replace(chosen, replaced=tuple(other.sources[0].name for other in order)), notes
    return None, notes


def _unreadable(source: Source, error: Exception) -> Flag:
    return Flag(code="unreadable", text=f"Left out, can't be read: {source.path} ({why_unreadable(error)})")


def _joined(runs: Sequence[Run]) -> list[Run]:
    """Parts of a run (examples/scale/shard.py marks them) as one, where they have no sample in common."""
    parts: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for number, run in enumerate(runs):
        alone = (str(number),)
        parts[run.how if SHARDS in run.metadata else alone].append(run)
    found = []
    for group in parts.values():
        entries = [sample.entry for run in group for sample in {s.entry: s for s in run.samples}.values()]
        apart = len(entries) == len(set(entries)) and len(group) <= int(group[0].metadata.get(SHARDS, 1))
        found += [_whole(group)] if apart and len(group) > 1 else group
    return found


def _distinct(runs: Sequence[Run]) -> list[Run]:
    """The runs; where a board has one name for several ways of playing, the way is part of it."""
    ways: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for run in runs:
        ways[run.board, run.players, run.name].add(run.way)
    return [
        replace(run, name=f"{run.name}: {run.way}")
        if run.name and len(ways[run.board, run.players, run.name]) > 1
        else run
        for run in runs
    ]


def _whole(parts: Sequence[Run]) -> Run:
    """The run of its parts; as good as the worst of them."""
    return replace(
        parts[0],
        sources=tuple(source for part in parts for source in part.sources),
        status=next((part.status for part in parts if part.status != "success"), "success"),
        selection=" + ".join(part.selection for part in parts),
        expected=sum(part.expected for part in parts),
        samples=tuple(sample for part in parts for sample in part.samples),
        usage=_summed([part.usage for part in parts]),
        replaced=tuple(name for part in parts for name in part.replaced),
    )


def _summed(parts: Sequence[Mapping[str, ModelUsage]]) -> dict[str, ModelUsage]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: sum((part[name] for part in parts if name in part), ModelUsage()) for name in names}
