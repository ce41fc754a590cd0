"""From logs to the engine's own output folders: `appworld evaluate` gives the same numbers there.

Layout: <output>/outputs/<experiment>/tasks/<task>/{dbs,logs,version,...}; an experiment's name ends with its
split, as `appworld pack` wants it.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inspect_ai.log import EvalLog, EvalSample, read_eval_log

from kate_eval.appworld import data
from kate_eval.appworld.sessions import FINISH_SECONDS, Limits, open_session
from kate_eval.episode import FAILURE_KEY, OUTCOME_KEY
from kate_eval.errors import ConfigurationError
from kate_eval.logs import Tell, about, ended_logs, make_folder, metadata_of, why_unreadable

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exported:
    """An experiment folder that was written.

    Attributes:
        folder: of the experiment.
        split: its split.
        tasks: how many tasks it has.
        untouched: tasks without outputs in the log, written as untouched worlds.
        unscored: tasks with outputs that the log's numbers leave out (their sample failed).
        left_out: how many tasks of the split it has not, because they were not played.
    """

    folder: Path
    split: str
    tasks: int
    untouched: tuple[str, ...]
    unscored: tuple[str, ...]
    left_out: int


async def export_logs(
    logs: Sequence[Path], output: Path, partial: bool, fill: bool, tell: Tell = logger.warning
) -> list[Exported]:
    """Export each AppWorld log, an experiment per log and epoch.

    Args:
        logs: log files, or folders of them.
        output: the folder to write, with `outputs` below it.
        partial: take logs of runs that did not end well, too.
        fill: write untouched worlds for the tasks that were not played.
        tell: names what can't be read, and is left out.

    Raises:
        ConfigurationError: there is no AppWorld log, none can be read, its run was not over, or its folder
            holds another run.
        EngineError: a task without outputs can't be made up for.
    """
    made = []
    for name in ended_logs(logs, "appworld", "AppWorld", partial, tell):
        try:
            log = read_eval_log(name)
        except Exception as ex:  # as of headers: a damaged one must not hide the others
            tell(f"Left out, can't be read to its end: {name.removeprefix('file://')} ({why_unreadable(ex)})")
            continue
        for epoch in range(1, (log.eval.config.epochs or 1) + 1):
            made.append(await _export(log, epoch, output, fill))
    if not made:
        raise ConfigurationError("None of the logs can be read to its end")
    return made


async def _export(log: EvalLog, epoch: int, output: Path, fill: bool) -> Exported:
    split, world = str(metadata_of(log)["split"]), str(metadata_of(log)["world"])
    samples = {str(sample.id): sample for sample in log.samples or [] if sample.epoch == epoch}
    every = data.task_ids(split)
    ids = [task_id for task_id in every if fill or task_id in samples]
    folder = output / "outputs" / experiment_name(log, epoch, split)
    make_folder(folder, {"eval_id": log.eval.eval_id, "epoch": epoch}, about(log))
    untouched, unscored = [], []
    for task_id in ids:
        sample = samples.get(task_id)
        files = _files(sample)
        if not files:
            untouched.append(task_id)
            files = await _untouched(world, task_id)
        elif sample and _failed(sample):
            unscored.append(task_id)
        _write(folder / "tasks" / task_id, files)
    return Exported(folder, split, len(ids), tuple(untouched), tuple(unscored), len(every) - len(ids))


def experiment_name(log: EvalLog, epoch: int, split: str) -> str:
    """A name that says what was run: solver, model, when, which run and epoch, and the split at its end."""
    step = log.plan.steps[-1].solver if log.plan.steps else "solver"
    solver, model = (name.rpartition("/")[2] for name in (step, log.eval.model))
    parts = [solver, model, log.eval.created[:19], log.eval.eval_id[:8], f"e{epoch}"]
    words = [re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts]
    # The engine takes a path with this word in it for a database in memory.
    return "_".join([*words, split]).replace("memory", "mem-ory")


def _files(sample: EvalSample | None) -> dict[str, str]:
    outcome = (sample.store.get(OUTCOME_KEY) if sample else None) or {}
    return dict(outcome.get("files") or {})


def _failed(sample: EvalSample) -> bool:
    """Whether the log's numbers leave the sample out."""
    return sample.error is not None or bool(sample.store.get(FAILURE_KEY))


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
