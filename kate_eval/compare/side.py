"""One of the two logs: which log a path means, and what became of each of its samples."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from inspect_ai.log import EvalSample, read_eval_log, read_eval_log_samples

from kate_eval.compare.steps import Turns, turns_of
from kate_eval.errors import ConfigurationError, DatasetError, one_line
from kate_eval.failures import Cause, cause_of
from kate_eval.report.observed import observed
from kate_eval.report.read import find_logs
from kate_eval.report.runs import Run
from kate_eval.stats import Observed

logger = logging.getLogger(__name__)
NOT_NEEDED = {"events", "attachments"}
"""Fields of a sample that are left unread; messages are whole without them."""
MAX_AT_ONCE = 100_000_000
"""Bytes of a log that is read at once."""
MAX_LISTED = 20
"""Runs that an error lists."""


@dataclass(frozen=True)
class Attempt:
    """One sample and epoch.

    Attributes:
        entry: id of the entry.
        epoch: from 1.
        observed: its value, category and cluster; None where it could not be scored.
        cause: why it failed; None where it passed.
        turns: what the model did.
        log: the log that holds it.
    """

    entry: str
    epoch: int
    observed: Observed | None
    cause: Cause | None
    turns: Turns
    log: str


@dataclass(frozen=True)
class Side:
    """One of the two runs.

    Attributes:
        run: how it was measured.
        attempts: its samples.
        notes: what of it could not be read.
    """

    run: Run
    attempts: tuple[Attempt, ...]
    notes: tuple[str, ...]


def read_side(path: Path) -> Side:
    """The run that a path means: a log's, or the newest one of a folder that holds runs of one cell.

    Raises:
        ConfigurationError: there is none, or the folder holds several.
    """
    remedy = "Name two logs of our tasks, LOG_A and LOG_B: files below ./logs, or folders of one run each"
    if not path.exists():
        raise ConfigurationError(f"No log {path}. {remedy}")
    reading = find_logs(path)
    if not reading.runs:
        why = f" ({reading.notes[0].text})" if reading.notes else ""
        what = "The folder holds no log that can be compared" if path.is_dir() else "Not a log to compare"
        raise ConfigurationError(f"{what}: {path}{why}. {remedy}")
    if len(reading.runs) > 1:
        logs = [f"  {run.sources[-1].file.removeprefix('file://')}  {run.label}" for run in reading.runs]
        more = f"\n  and {len(logs) - MAX_LISTED} more" if len(logs) > MAX_LISTED else ""
        raise ConfigurationError(
            f"The folder {path} holds {len(logs)} different runs; name one log:\n"
            + "\n".join(logs[:MAX_LISTED])
            + more
        )
    [run] = reading.runs
    notes: list[str] = []
    attempts = [attempt for source in run.sources for attempt in _attempts(run, source.file, notes)]
    return Side(run, tuple(attempts), tuple(notes))


def _attempts(run: Run, file: str, notes: list[str]) -> Iterator[Attempt]:
    """The samples of a log, as far as it can be read."""
    try:
        for sample in _samples(file):
            yield _attempt(run, file, sample)
    except DatasetError:  # bfcl-eval is not installed
        raise
    except Exception as ex:  # a file that was cut off: what came before is good
        logger.warning("Broken off in the middle: %s (%s)", file, ex)
        notes.append(f"{Path(file).name} can't be read to its end ({one_line(ex)})")


def _samples(file: str) -> Iterator[EvalSample]:
    """All samples at once, which is four times as fast; one by one where the log is large or damaged."""
    samples: Iterable[EvalSample] | None = None
    if Path(file.removeprefix("file://")).stat().st_size <= MAX_AT_ONCE:
        with suppress(Exception):  # what is wrong with it is told by the sample that can't be read
            samples = read_eval_log(file, exclude_fields=NOT_NEEDED).samples
    yield from samples or read_eval_log_samples(file, all_samples_required=False, exclude_fields=NOT_NEEDED)


def _attempt(run: Run, file: str, sample: EvalSample) -> Attempt:
    value = observed(sample, run.benchmark.scorer)
    return Attempt(
        entry=str(sample.id),
        epoch=sample.epoch,
        observed=value,
        cause=None if value and value.value else cause_of(sample),
        turns=turns_of(sample, run.metadata["benchmark"]),
        log=file,
    )
