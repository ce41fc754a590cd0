"""Runs: what a report needs of each log, read from its header and sample summaries."""

import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from inspect_ai.log import (
    EvalLog,
    EvalSampleSummary,
    list_eval_logs,
    read_eval_log,
    read_eval_log_sample,
    read_eval_log_sample_summaries,
)
from inspect_ai.model import ModelUsage
from inspect_ai.scorer import CORRECT

from kate_eval.errors import ConfigurationError
from kate_eval.report.benchmarks import BENCHMARKS, Benchmark
from kate_eval.stats import Observed

logger = logging.getLogger(__name__)

SHARDS = "shards"
"""Metadata of a log that is one part of a run: how many parts there are."""


@dataclass(frozen=True)
class SampleRow:
    """One sample and epoch of a run.

    Attributes:
        entry: id of the entry; epochs of one entry share it.
        observed: its value (0 or 1), category and cluster; None where it could not be scored.
        broken_gold: whether no honest answer can pass.
        counters: the values of run_counters.
        provenance: what the solving depended on: prompts' hash, bank's hash.
        details: what the benchmark's scorer adds: kind of failure, interactions, containment.
        tokens: input and output tokens of all models.
        error: why it failed, if it failed.
        nearest: similarity of the bank's item that is nearest to any of its turns; None without a bank.
        position: place in the order in which an online run learned, from 1; None in other runs.
        usage: model -> what it used.
        roles: role -> tokens, as solvers count them; empty in logs that don't tell.
        step_ms: milliseconds of each step; empty in logs that don't tell.
        model_ms: milliseconds of all requests.
    """

    entry: str
    observed: Observed | None
    broken_gold: bool
    counters: dict[str, float]
    provenance: dict[str, Any]
    details: dict[str, Any]
    tokens: int
    error: str | None
    nearest: float | None = None
    position: int | None = None
    usage: dict[str, ModelUsage] = field(default_factory=dict)
    roles: dict[str, int] = field(default_factory=dict)
    step_ms: tuple[int, ...] = ()
    model_ms: int | None = None


@dataclass(frozen=True)
class Run:
    """One log."""

    file: str
    created: str
    status: str
    model: str
    critic: str
    solver: str
    parameters: dict[str, Any]
    generation: dict[str, Any]
    """Generation settings, model arguments and base URL, as far as they were set."""
    selection: str
    """Which samples were asked for, and how many epochs."""
    metadata: dict[str, Any]
    task_version: str
    epochs: int
    expected: int
    """Samples x epochs that the run was to play."""
    samples: tuple[SampleRow, ...]
    usage: dict[str, ModelUsage] = field(default_factory=dict)
    """Model -> what all attempts of all samples used, as the log's header has it."""

    @property
    def benchmark(self) -> Benchmark:
        """The benchmark it is of."""
        return BENCHMARKS[self.metadata["benchmark"]]

    @property
    def board(self) -> str:
        """Title of the table that it stands in."""
        return self.benchmark.title(self.metadata)

    @property
    def simulated(self) -> bool:
        """Whether any number in this run comes from the simulated endpoint."""
        return any(name.startswith("simulated/") for name in (self.model, self.critic))

    @property
    def cell(self) -> tuple[str, ...]:
        """What the run measured; a newer run of the same cell replaces an older one."""
        return (*self.settings, self.selection)

    @property
    def settings(self) -> tuple[str, ...]:
        """How it was measured, whatever the samples."""
        told = (self.parameters, self.generation, self.metadata, self.task_version)
        return (self.model, self.critic, self.solver, *map(repr, told))


def by_entry(samples: Iterable[SampleRow]) -> dict[str, Observed]:
    """Entry -> its mean value over the epochs that were scored."""
    found: dict[str, list[Observed]] = defaultdict(list)
    for sample in samples:
        if sample.observed is not None:
            found[sample.entry].append(sample.observed)
    return {
        entry: Observed(fmean(o.value for o in epochs), epochs[0].group, epochs[0].cluster)
        for entry, epochs in found.items()
    }


def read_runs(*folders: Path) -> list[Run]:
    """The runs of our tasks below the folders, newest per cell, oldest first.

    Raises:
        ConfigurationError: there is no such folder, or no log of ours in it.
    """
    for folder in folders:
        if not folder.exists():
            raise ConfigurationError(f"No folder {folder}; logs go to ./logs unless --log-dir says otherwise")
    found: dict[tuple[str, ...], Run] = {}
    for run in _readable_runs(folders):
        older = found.pop(run.cell, None)
        # A run that was broken off doesn't replace one that was finished.
        keep_older = older is not None and older.status == "success" and run.status != "success"
        found[run.cell] = older if older is not None and keep_older else run
    if not found:
        raise ConfigurationError(
            f"No kate-eval logs in {', '.join(map(str, folders))}; make one: inspect eval kate_eval/bfcl ..."
        )
    return _joined(list(found.values()))


def _joined(runs: Sequence[Run]) -> list[Run]:
    """Parts of a run (examples/scale/shard.py marks them) as one, where they have no sample in common."""
    parts: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for number, run in enumerate(runs):
        alone = (str(number),)
        parts[run.settings if SHARDS in run.metadata else alone].append(run)
    found = []
    for group in parts.values():
        entries = [sample.entry for run in group for sample in {s.entry: s for s in run.samples}.values()]
        apart = len(entries) == len(set(entries)) and len(group) <= int(group[0].metadata.get(SHARDS, 1))
        found += [_whole(group)] if apart and len(group) > 1 else group
    return found


def _whole(parts: Sequence[Run]) -> Run:
    """The run of its parts; as good as the worst of them."""
    return replace(
        parts[0],
        status=next((part.status for part in parts if part.status != "success"), "success"),
        selection=" + ".join(part.selection for part in parts),
        expected=sum(part.expected for part in parts),
        samples=tuple(sample for part in parts for sample in part.samples),
    )


def _readable_runs(folders: Sequence[Path]) -> list[Run]:
    """All runs of our tasks, oldest first; a log that can't be read is named in a warning."""
    runs: list[tuple[tuple[str, float], Run]] = []
    for info in (info for folder in folders for info in list_eval_logs(str(folder.resolve()))):
        try:
            log = read_eval_log(info, header_only=True)
            if (log.eval.metadata or {}).get("benchmark") not in BENCHMARKS:
                continue
            run = _run(info.name, log, read_eval_log_sample_summaries(info))
        except Exception as ex:  # other software's files: a damaged one must not hide the others
            logger.warning("Left out, can't be read: %s (%s)", info.name, ex)
            continue
        # The time of creation has whole seconds; of two logs of one second the later written is newer.
        runs.append(((run.created, info.mtime or 0.0), run))
    return [run for _, run in sorted(runs, key=lambda pair: pair[0])]


def _run(file: str, log: EvalLog, summaries: list[EvalSampleSummary]) -> Run:
    benchmark = BENCHMARKS[(log.eval.metadata or {})["benchmark"]]
    step = next((s for s in reversed(log.plan.steps) if not s.solver.endswith(benchmark.setup)), None)
    solver = step.solver.rpartition("/")[2] if step else "?"
    roles = log.eval.model_roles or {}
    critic = roles.get("critic")
    return Run(
        file=file,
        created=str(log.eval.created),
        status=log.status,
        # The floor asks no model, whatever --model said.
        model="(no model)" if solver == "nearest" else log.eval.model,
        critic=str(getattr(critic, "model", critic)) if critic else "",
        solver=solver,
        parameters={k: v for k, v in (step.params if step else {}).items() if v is not None},
        generation=_generation(log),
        selection=f"{sorted(map(str, log.eval.dataset.sample_ids or []))} x {log.eval.config.epochs or 1}",
        metadata=dict(log.eval.metadata or {}),
        task_version=str(log.eval.task_version),
        epochs=log.eval.config.epochs or 1,
        expected=_expected(log),
        samples=tuple(_sample(file, summary, benchmark.scorer) for summary in summaries),
        usage=dict(log.stats.model_usage),
    )


def _generation(log: EvalLog) -> dict[str, Any]:
    settings = log.eval.model_generate_config.model_dump(exclude_none=True)
    transport = {"max_connections", "max_retries", "attempt_timeout", "timeout"}
    kept = {name: value for name, value in settings.items() if name not in transport}
    kept |= log.eval.model_args
    return kept if log.eval.model_base_url is None else kept | {"base_url": log.eval.model_base_url}


def _expected(log: EvalLog) -> int:
    if log.results is not None:
        return log.results.total_samples
    # A run that was killed has no results; its spec still lists the samples that it set out to play.
    return len(log.eval.dataset.sample_ids or []) * (log.eval.config.epochs or 1)


def _sample(file: str, summary: EvalSampleSummary, scorer: str) -> SampleRow:
    scores = summary.scores or {}
    verdict = scores.get(scorer)
    observed = None
    scored = verdict is not None and not (isinstance(verdict.value, float) and math.isnan(verdict.value))
    if verdict is not None and scored and not summary.error:
        value = 1.0 if verdict.value in (CORRECT, 1, 1.0) else 0.0
        place = summary.metadata["category"], summary.metadata["cluster"]
        observed = Observed(value, *place, str(summary.id), int(summary.metadata.get("variants") or 0))
    counted = scores.get("run_counters")
    counters = counted.value if counted and isinstance(counted.value, dict) else {}
    kept = _kept(file, summary)
    return SampleRow(
        entry=str(summary.id),
        observed=observed,
        broken_gold=bool(summary.metadata.get("broken_gold")),
        counters={k: float(v) for k, v in counters.items() if isinstance(v, int | float)},
        provenance=found if isinstance(found := kept.get("provenance"), dict) else {},
        details=(verdict.metadata if verdict else None) or {},
        tokens=sum(usage.total_tokens for usage in summary.model_usage.values()),
        error=summary.error or (None if observed else "not scored"),
        nearest=_finite(kept.get("nearest")),
        position=kept["position"] if isinstance(kept.get("position"), int) else None,
        usage=dict(summary.model_usage),
        roles=_roles(kept.get("tokens")),
        step_ms=_steps(kept.get("step_ms")),
        model_ms=kept["model_ms"] if isinstance(kept.get("model_ms"), int) else None,
    )


def _roles(tokens: Any) -> dict[str, int]:
    """Tokens by role from those by role and direction; cached and reasoning ones are part of the others."""
    found: dict[str, int] = defaultdict(int)
    for key, count in tokens.items() if isinstance(tokens, dict) else ():
        role, _, direction = str(key).rpartition("_")
        if direction in ("input", "output") and isinstance(count, int):
            found[role] += count
    return dict(found)


def _steps(found: Any) -> tuple[int, ...]:
    return tuple(ms for ms in found if isinstance(ms, int)) if isinstance(found, list) else ()


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _kept(file: str, summary: EvalSampleSummary) -> dict[str, Any]:
    """What run_counters keeps; summaries leave out what is over a kilobyte, such as very many steps."""
    counted = (summary.scores or {}).get("run_counters")
    kept = (counted.metadata if counted else None) or {}
    if any(isinstance(kept.get(name), str) for name in ("provenance", "step_ms")):
        large = {"messages", "events", "store", "attachments"}
        sample = read_eval_log_sample(file, summary.id, summary.epoch, exclude_fields=large)
        counted = (sample.scores or {}).get("run_counters")
        kept = (counted.metadata if counted else None) or {}
    return kept
