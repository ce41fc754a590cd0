"""What a log folder holds of a grid's rows, read from headers and sample summaries."""

import logging
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from inspect_ai.log import (
    EvalLog,
    EvalSampleSummary,
    list_eval_logs,
    read_eval_log,
    read_eval_log_sample_summaries,
)

from kate_eval.logs import GRID_KEY, is_interrupted, why_unreadable
from kate_eval.report.benchmarks import BENCHMARKS, Benchmark
from kate_eval.report.observed import observed
from kate_eval.stats import Observed, weighted_mean

logger = logging.getLogger(__name__)

REASON = 160
"""Characters of an error that a table shows."""

INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Cost:
    """What a sample takes, in the mean."""

    requests: float
    input_tokens: float
    output_tokens: float


@dataclass(frozen=True)
class Found:
    """One log of a row.

    Attributes:
        file: where it is.
        status: Inspect's: started (and broken off), success, error, cancelled.
        model: who played.
        shape: of the row.
        depends: what its numbers depend on.
        scored: entry -> its epochs with a verdict.
        errored: samples without, because something failed.
        score: the benchmark's headline, in [0, 1]; nan without a scored sample.
        cost: of a scored sample; None without one.
        reason: why it failed, or its samples did; "" if nothing failed.
        written: when, in seconds.
    """

    file: Path
    status: str
    model: str
    shape: str
    depends: Mapping[str, str]
    scored: Mapping[str, frozenset[int]]
    errored: int
    score: float
    cost: Cost | None
    reason: str
    written: float

    @property
    def count(self) -> int:
        """Samples with a verdict."""
        return sum(map(len, self.scored.values()))

    @property
    def rank(self) -> tuple[bool, int, float]:
        """The best of several logs of a row has the highest."""
        return self.status == "success", self.count, self.written


def read_found(folder: Path) -> dict[str, list[Found]]:
    """Row's key -> its logs below the folder, the best first."""
    found: dict[str, list[Found]] = defaultdict(list)
    for info in list_eval_logs(str(folder.resolve())) if folder.is_dir() else ():
        try:
            log = read_eval_log(info, header_only=True)
            mark = (log.eval.metadata or {}).get(GRID_KEY)
            if isinstance(mark, dict) and log.eval.metadata:
                one = _found(_path(info.name), log, mark, read_eval_log_sample_summaries(info), info.mtime)
                found[str(mark["key"])].append(one)
        except Exception as ex:  # other software's files: a damaged one must not hide the others
            logger.warning("Left out, can't be read: %s (%s)", _path(info.name), why_unreadable(ex))
    return {key: sorted(logs, key=lambda one: one.rank, reverse=True) for key, logs in found.items()}


def _path(name: str) -> Path:
    """Inspect lists files with a scheme before their path, in which nothing is quoted."""
    return Path(name.removeprefix("file://"))


def _found(
    file: Path, log: EvalLog, mark: dict[str, Any], samples: list[EvalSampleSummary], written: float | None
) -> Found:
    benchmark = BENCHMARKS[(log.eval.metadata or {})["benchmark"]]
    values = [(sample, observed(sample, benchmark.scorer)) for sample in samples]
    scored = [sample for sample, value in values if value is not None]
    # A sample in flight when its run was broken off has no error of its own.
    errors = [sample.error for sample in samples if sample.error and not is_interrupted(sample.error)]
    interrupted = log.status == "cancelled" or any(is_interrupted(s.error) for s in samples if s.error)
    return Found(
        file=file,
        status=log.status,
        model=log.eval.model,
        shape=str(mark.get("shape", "")),
        depends={str(name): str(value) for name, value in dict(mark.get("depends") or {}).items()},
        scored=_epochs(scored),
        errored=len(errors),
        score=_score([value for _, value in values if value is not None], benchmark),
        cost=_cost(scored),
        reason=_reason(log, errors, interrupted),
        written=written or 0.0,
    )


def _epochs(samples: Sequence[EvalSampleSummary]) -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for sample in samples:
        found[str(sample.id)].add(sample.epoch)
    return {entry: frozenset(epochs) for entry, epochs in found.items()}


def _score(values: Sequence[Observed], benchmark: Benchmark) -> float:
    return weighted_mean(values, benchmark.headline(values)[1]).mean if values else math.nan


def _cost(samples: Sequence[EvalSampleSummary]) -> Cost | None:
    counted = [(sample.scores or {}).get("run_counters") for sample in samples]
    values = [one.value for one in counted if one is not None and isinstance(one.value, dict)]

    def mean(name: str) -> float:
        numbers = [float(v[name]) for v in values if isinstance(v.get(name), int | float)]
        known = [number for number in numbers if math.isfinite(number)]
        return fmean(known) if known else 0.0

    return Cost(mean("requests"), mean("tokens_input"), mean("tokens_output")) if values else None


def _reason(log: EvalLog, errors: Sequence[str], interrupted: bool) -> str:
    """The most frequent error of its samples, or the run's own."""
    if errors:
        return _short(Counter(errors).most_common(1)[0][0])
    if log.error is not None and not is_interrupted(log.error.message):
        return _short(log.error.message)
    return INTERRUPTED if interrupted or log.error is not None else ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= REASON else line[: REASON - 1] + "…"
