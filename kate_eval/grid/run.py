"""Running what is missing of a grid with Inspect's eval_set, so that a broken-off run loses nothing finished.

Every finished sample is in its log file before the next one ends (log_buffer=1): the log alone is what a
later run goes on from, on this machine or another.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout
from inspect_ai import Task, eval_set, task_with
from inspect_ai.hooks import Hooks, TaskEnd, hooks

from kate_eval.errors import ConfigurationError, one_line
from kate_eval.grid.bank import needs_bank
from kate_eval.grid.plan import Plan, State
from kate_eval.grid.rows import make_solver, make_task
from kate_eval.logs import GRID_KEY, is_interrupted

LOCK = ".grid.lock"
OUTDATED = ".outdated"
"""Added to the name of a log that is replaced; Inspect and the report read it no more."""
SAMPLE_RETRIES = 2

Say = Callable[[str], None]
_listener: list[Say] = []


@contextlib.contextmanager
def alone(log_dir: Path) -> Iterator[None]:
    """Be the only one who writes into a log folder. The system lets go of the lock when a process dies.

    Raises:
        ConfigurationError: another process is writing into it.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(log_dir / LOCK, timeout=0):
            yield
    except Timeout:
        raise ConfigurationError(
            f"Another `kate grid` is writing into {log_dir}: wait for it, or choose another --log-dir"
        ) from None


def run_missing(plan: Plan, display: str, say: Say) -> None:
    """Play what is missing; what fails is tried again within bounds, and the rest goes on.

    Args:
        plan: made while nobody else writes into the log folder.
        display: Inspect's: rich, or none.
        say: shows a line for each row that ends.

    Raises:
        ConfigurationError: Inspect refuses a setting.
        KeyboardInterrupt: the user broke it off; finished samples are kept.
    """
    for state in plan.to_run:
        _put_aside(state)
    tasks = [_task(state, plan) for state in plan.to_run]
    if not tasks:
        return
    options = plan.options
    with _told(say), _terminable():
        try:
            _, logs = eval_set(
                tasks,
                log_dir=str(options.log_dir),
                model=None,  # each task has its own
                epochs=options.epochs,
                max_tasks=options.max_tasks,
                max_samples=options.max_samples,
                max_connections=options.max_connections,
                max_tokens=options.max_tokens,
                retry_attempts=options.retries,
                retry_on_error=SAMPLE_RETRIES,
                # A row with a failed sample is not finished; its other samples are played and kept.
                fail_on_error=True,
                continue_on_fail=True,
                score_on_error=True,
                score_display=False,  # it would be computed anew with each sample
                log_buffer=1,
                log_model_api=False,
                log_realtime=False,  # its database is elsewhere and isn't needed: the log has all
                log_dir_allow_dirty=True,  # other grids' logs, which this one may share
                display=display,  # type: ignore[arg-type]
            )
        except Exception as ex:
            if type(ex).__name__ != "PrerequisiteError":
                raise
            raise ConfigurationError(f"Inspect can't run the grid: {one_line(ex)}") from ex
    # Broken off, Inspect returns without the logs of what did not end, and says nothing.
    if len(logs) < len(tasks) or any(log.status == "cancelled" for log in logs):
        raise KeyboardInterrupt


def _task(state: State, plan: Plan) -> Task:
    """The row's task, marked as the grid's."""
    row, options = state.row, plan.options
    bank = plan.banks[row.cell.task].folder if needs_bank(row.cell, options) else None
    task = make_task(row.cell, options.limit)
    mark = {
        "name": plan.name,
        "cell": row.cell.label,
        "place": list(row.place),
        "key": row.key,
        "shape": row.shape,
        "depends": dict(row.depends),
    }
    return task_with(
        task,
        solver=make_solver(row.cell, _named(bank) if bank else None),
        model=row.model or "",
        metadata={**(task.metadata or {}), GRID_KEY: mark},
    )


def _named(folder: Path) -> str:
    """A folder as logs name it: below the working directory without what leads there."""
    path = folder.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _put_aside(state: State) -> None:
    """Let nobody take logs for the row's that are not its any more."""
    outdated = (state.best, *state.others) if state.kind == "outdated" else state.others
    for log in outdated:
        if log is not None and log.depends != state.row.depends:
            log.file.rename(log.file.with_name(log.file.name + OUTDATED))


def sweep(states: Sequence[State]) -> None:
    """Remove logs of attempts that were broken off, where a finished log has all their samples.

    Inspect leaves them, as it can't know that nobody is writing them; who holds the lock does.
    """
    for state in states:
        for log in state.others if state.kind == "finished" else ():
            if log.status != "success" and log.depends == state.row.depends:
                log.file.unlink(missing_ok=True)


@contextlib.contextmanager
def _told(say: Say) -> Iterator[None]:
    """Have a line said for each row that ends meanwhile."""
    _announce()
    _listener.append(say)
    try:
        yield
    finally:
        _listener.remove(say)


@cache
def _announce() -> None:
    """Inspect announces its hooks to everyone who has this package installed: not at import."""
    hooks(name="grid", description="says when a row of a kate grid has ended")(Announce)


class Announce(Hooks):
    """Says which row ended, and how."""

    async def on_task_end(self, data: TaskEnd) -> None:
        """Say it to who runs the grid."""
        mark = (data.log.eval.metadata or {}).get(GRID_KEY)
        if not isinstance(mark, dict):
            return
        results = data.log.results
        count = f", {results.completed_samples} of {results.total_samples} samples" if results else ""
        said = data.log.error.message if data.log.error else ""
        error = f": {one_line_of(said)}" if said and not is_interrupted(said) else ""
        for say in _listener:
            say(f"{mark.get('cell')}, {data.log.eval.model}: {data.log.status}{count}{error}")


def one_line_of(text: str) -> str:
    """A message without line breaks, cut to what a line holds."""
    return " ".join(text.split())[:200]


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let a scheduler's SIGTERM end the run as Ctrl-C does: logs are closed, workers end."""
    # A script's background job ignores Ctrl-C; there SIGTERM ends the process at once, which loses no more.
    if threading.current_thread() is not threading.main_thread() or _ignores_interrupts():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _ignores_interrupts() -> bool:
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN
