"""From logs to the engine's own output folders: `appworld evaluate` gives the same numbers there.

Layout: <output>/outputs/<experiment>/tasks/<task>/{dbs,logs,version,...}; an experiment's name ends with its
split, as `appworld pack` wants it.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalLog, EvalSample, list_eval_logs, read_eval_log

from kate_eval.appworld import data
from kate_eval.appworld.sessions import FINISH_SECONDS, Limits, open_session
from kate_eval.episode import OUTCOME_KEY
from kate_eval.errors import ConfigurationError


@dataclass(frozen=True)
class Exported:
    """An experiment folder that was written.

    Attributes:
        folder: of the experiment.
        split: its split.
        tasks: how many tasks it has.
        missing: tasks without outputs in the log.
    """

    folder: Path
    split: str
    tasks: int
    missing: tuple[str, ...]


async def export_logs(logs: Sequence[Path], output: Path) -> list[Exported]:
    """Export each AppWorld log, an experiment per log and epoch.

    Raises:
        ConfigurationError: there is no AppWorld log, or its run was not over.
        EngineError: a task without outputs can't be made up for.
    """
    made = []
    for name in _names(logs):
        log = read_eval_log(name)
        if (log.eval.metadata or {}).get("benchmark") == "appworld":
            for epoch in range(1, (log.eval.config.epochs or 1) + 1):
                made.append(await _export(log, epoch, output))
    if not made:
        raise ConfigurationError(f"No AppWorld logs in {', '.join(map(str, logs))}")
    return made


def _names(logs: Sequence[Path]) -> list[str]:
    found: list[str] = []
    for path in logs:
        if not path.exists():
            raise ConfigurationError(f"No such log or folder: {path}")
        found += [info.name for info in list_eval_logs(str(path.resolve()))] if path.is_dir() else [str(path)]
    return found


async def _export(log: EvalLog, epoch: int, output: Path) -> Exported:
    metadata: dict[str, Any] = log.eval.metadata or {}
    split, world = str(metadata["split"]), str(metadata["world"])
    folder = output / "outputs" / experiment_name(log, epoch, split)
    shutil.rmtree(folder, ignore_errors=True)
    samples = {str(sample.id): sample for sample in log.samples or [] if sample.epoch == epoch}
    missing = []
    ids = [task_id for task_id in data.task_ids(split) if task_id in samples or not _partial(log)]
    for task_id in ids:
        files = _files(samples.get(task_id))
        if not files:
            missing.append(task_id)
            files = await _untouched(world, task_id)
        _write(folder / "tasks" / task_id, files)
    return Exported(folder, split, len(ids), tuple(missing))


def experiment_name(log: EvalLog, epoch: int, split: str) -> str:
    """A name that says what was run: solver, model, when, which epoch, and the split at its end."""
    step = log.plan.steps[-1].solver if log.plan.steps else "solver"
    parts = [step.rpartition("/")[2], log.eval.model.rpartition("/")[2], log.eval.created[:19], f"e{epoch}"]
    words = [re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts]
    return "_".join([*words, split])


def _partial(log: EvalLog) -> bool:
    config = log.eval.config
    return config.limit is not None or config.sample_id is not None


def _files(sample: EvalSample | None) -> dict[str, str]:
    outcome = (sample.store.get(OUTCOME_KEY) if sample else None) or {}
    return dict(outcome.get("files") or {})


async def _untouched(world: str, task_id: str) -> dict[str, str]:
    """The outputs of an untouched world: where there are none, the engine's evaluation stops."""
    session = await open_session(world, task_id, Limits())
    try:
        return dict((await session.ask(FINISH_SECONDS, finish=True))["files"])
    finally:
        await session.close()


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()):
            raise ConfigurationError(f"The log names an output file outside its task's folder: {name!r}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    for name in ("misc", "checkpoints"):  # the engine makes them too
        (folder / name).mkdir(exist_ok=True)
