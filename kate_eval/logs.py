"""Logs of runs: what they say of themselves; which to export, and the folder for it; samples, in chunks."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inspect_ai.log import (
    EvalLog,
    EvalSample,
    list_eval_logs,
    read_eval_log,
    read_eval_log_sample,
    read_eval_log_samples_by_id,
)

from kate_eval.errors import ConfigurationError, one_line

logger = logging.getLogger(__name__)

Tell = Callable[[str], None]
"""Shows a line."""
GRID_KEY = "grid"
"""Metadata of a log that a grid made: {"name", "cell", "place", "key", "shape", "depends"}."""
SIMULATED = "simulated/"
"""What the names of simulated models begin with."""
SHARDS = "shards"
"""Metadata of a log that is one part of a run (examples/scale/shard.py): how many parts there are."""
ORIGIN = "kate.json"
"""File of a folder that was exported which says which run it holds."""

SIMULATED_MARK = "SIMULATED"
"""Key of that file, where a simulated model played."""

_AT_ONCE = 50
"""Samples; each reading finds its way in the log's directory anew, which takes longer than a sample."""


def samples_of(
    name: str, wanted: Sequence[tuple[str | int, int]], left_out: set[str], resolve: bool = False
) -> Iterator[EvalSample]:
    """Samples of a log, in the order wanted; where one is damaged, what comes before it is read.

    Args:
        name: of the log's file.
        wanted: id and epoch of each.
        left_out: fields that are not read.
        resolve: put long texts back where they stood.
    """
    for start in range(0, len(wanted), _AT_ONCE):
        chunk = wanted[start : start + _AT_ONCE]
        try:
            found = read_eval_log_samples_by_id(
                name, chunk, resolve_attachments=resolve, exclude_fields=left_out
            )
        except Exception:  # other software's files: the sample that is at fault says it below
            for place, epoch in chunk:
                yield read_eval_log_sample(
                    name, place, epoch, resolve_attachments=resolve, exclude_fields=left_out
                )
        else:
            yield from found


def metadata_of(log: EvalLog) -> dict[str, Any]:
    """What its task says of itself; {} of another task."""
    return log.eval.metadata or {}


def about(log: EvalLog) -> dict[str, Any]:
    """How its run was played, for who finds nothing but what was exported: solver, settings, model, cell."""
    step = log.plan.steps[-1] if log.plan.steps else None
    roles = [getattr(role, "model", role) for role in (log.eval.model_roles or {}).values()]
    mark = metadata_of(log).get(GRID_KEY)
    params = step.params if step else {}
    told = {
        "solver": step.solver.rpartition("/")[2] if step else None,
        "settings": {name: value for name, value in params.items() if value is not None},
        "model": log.eval.model,
        "cell": mark.get("cell") if isinstance(mark, dict) else None,
        SIMULATED_MARK: True if any(str(m).startswith(SIMULATED) for m in (log.eval.model, *roles)) else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def is_interrupted(error: str) -> bool:
    """Whether a sample's or a run's error only says that it was broken off."""
    return error.startswith("CancelledError")


def why_unreadable(error: BaseException) -> str:
    """Why a log can't be read, in a line."""
    text = one_line(error)
    if "EOCD" in text:  # the end of a zip's directory
        return "it is cut off or no .eval file"
    return "it is cut off or no log" if text.startswith("Unable to read log file") else text[:200]


def ended_logs(
    places: Sequence[Path],
    benchmark: str,
    title: str,
    partial: bool,
    tell: Tell = logger.warning,
    usable: Callable[[str, EvalLog], bool] = lambda name, log: True,
) -> dict[str, EvalLog]:
    """The headers of a benchmark's logs by their files.

    Args:
        places: log files, or folders of them.
        benchmark: as the task's metadata names it.
        title: as people name it.
        partial: take logs of runs that did not end well, too.
        tell: names a log that can't be read, and is left out.
        usable: whether a log of the benchmark is taken at all.

    Raises:
        ConfigurationError: there is no such log, none can be read or used, or its run was not over.
    """
    headers = _headers(_names(places), tell)
    chosen = {name: log for name, log in headers.items() if metadata_of(log).get("benchmark") == benchmark}
    if not chosen:
        raise ConfigurationError(f"No {title} logs in {', '.join(map(str, places))}")
    chosen = {name: log for name, log in chosen.items() if usable(name, log)}
    if not chosen:
        raise ConfigurationError(f"None of the {title} logs in {', '.join(map(str, places))} can be used")
    broken = [f"{name} ({log.status})" for name, log in chosen.items() if log.status != "success"]
    if broken and not partial:
        raise ConfigurationError(
            f"The run is not over, or did not end well: {', '.join(broken)}. Finish it (inspect eval-retry), "
            "or export what there is: --partial"
        )
    return chosen


def _names(places: Sequence[Path]) -> list[str]:
    found: list[str] = []
    for path in places:
        if not path.exists():
            raise ConfigurationError(f"No such log or folder: {path}")
        found += [info.name for info in list_eval_logs(str(path.resolve()))] if path.is_dir() else [str(path)]
    return list(dict.fromkeys(found))


def _headers(names: Sequence[str], tell: Tell) -> dict[str, EvalLog]:
    found, unread = {}, []
    for name in names:
        try:
            found[name] = read_eval_log(name, header_only=True)
        except Exception as ex:  # other software's files, damaged in any way, must not hide the others
            unread.append(f"{name.removeprefix('file://')} ({why_unreadable(ex)})")
    if unread and not found:
        raise ConfigurationError(f"Can't read {', '.join(unread)}")
    for one in unread:
        tell(f"Left out, can't be read: {one}")
    return found


def make_folder(folder: Path, origin: Mapping[str, Any], told: Mapping[str, Any] | None = None) -> None:
    """Make a run's folder anew.

    Args:
        folder: that the run's export is written to.
        origin: which run and epoch it holds.
        told: what else its file says of the run.

    Raises:
        ConfigurationError: another run has it, or something else.
    """
    if folder.exists():
        try:
            found = json.loads((folder / ORIGIN).read_bytes())
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict) or {name: found.get(name) for name in origin} != origin:
            raise ConfigurationError(
                f"{folder} exists and does not hold epoch {origin['epoch']} of this run. "
                "Remove it, or write elsewhere: -o"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / ORIGIN).write_text(json.dumps({**origin, **(told or {})}) + "\n", encoding="utf-8")
