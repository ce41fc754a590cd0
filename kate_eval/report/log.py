"""From a log to a run: its header says how it was measured, its summaries what became of the samples."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from inspect_ai.log import (
    EvalLog,
    EvalSampleSummary,
    read_eval_log,
    read_eval_log_sample,
    read_eval_log_sample_summaries,
)
from inspect_ai.scorer import Score

from kate_eval.logs import GRID_KEY, SHARDS
from kate_eval.report.benchmarks import BENCHMARKS
from kate_eval.report.observed import observed
from kate_eval.report.runs import FLOOR, Run, SampleRow, Source

Shapes = Mapping[str, type | tuple[type, ...]]
_OF_RUN: Shapes = {"entries": int, "category_hashes": dict, SHARDS: int}
_OF_ENTRY: Shapes = {"category": str, "cluster": str}
_OF_PROVENANCE: Shapes = {"bank_hash": str, "bank_models": list}
_OF_DETAILS: Shapes = {"interactions": (int, float), "contained": list}
"""What the report counts and compares -> its kind."""
LARGEST = 1e15
"""Of what is counted; more is no count."""
KNOWN = 1000
"""Logs that a process remembers while their files stay the same: a page that is refreshed reads few anew."""


@lru_cache(KNOWN)
def head_of(source: Source) -> Run | None:
    """The run of a log's header, still without samples; None for a log of another task."""
    log = read_eval_log(source.file, header_only=True)
    benchmark = BENCHMARKS.get(str((log.eval.metadata or {}).get("benchmark")))
    if benchmark is None:
        return None
    _require_shapes(log.eval.metadata or {}, _OF_RUN)
    step = next((s for s in reversed(log.plan.steps) if not s.solver.endswith(benchmark.setup)), None)
    solver = step.solver.rpartition("/")[2] if step else "?"
    critic = (log.eval.model_roles or {}).get("critic")
    return Run(
        sources=(replace(source, created=str(log.eval.created)),),
        status=log.status,
        # The floor asks no model, whatever --model said.
        model="(no model)" if solver == FLOOR else log.eval.model,
        critic=str(getattr(critic, "model", critic)) if critic else "",
        solver=solver,
        parameters={k: v for k, v in (step.params if step else {}).items() if v is not None},
        generation=_generation(log),
        selection=f"{sorted(map(str, log.eval.dataset.sample_ids or []))} x {log.eval.config.epochs or 1}",
        metadata=dict(log.eval.metadata or {}),
        task_version=str(log.eval.task_version),
        epochs=log.eval.config.epochs or 1,
        expected=_expected(log),
        usage=dict(log.stats.model_usage),
        packages=dict(log.eval.packages),
        name=_name(log),
    )


def _name(log: EvalLog) -> str:
    mark = (log.eval.metadata or {}).get(GRID_KEY)
    label = mark.get("cell") if isinstance(mark, dict) else None
    return label if isinstance(label, str) else ""


def _require_shapes(found: Mapping[str, Any], shapes: Shapes) -> None:
    """Refuse a log that says something of another kind: anybody may have written it."""
    for name, shape in shapes.items():
        if found.get(name) is not None and not isinstance(found[name], shape):
            raise ValueError(f"its {name} is of another kind: {ascii(found[name])[:40]}")


def with_samples(run: Run) -> Run:
    """The run with its samples, read from its log."""
    [source] = run.sources
    return replace(run, samples=_samples(source, run.benchmark.scorer))


@lru_cache(KNOWN)
def _samples(source: Source, scorer: str) -> tuple[SampleRow, ...]:
    shared = _Shared()
    summaries = read_eval_log_sample_summaries(source.file)
    return tuple(_sample(source.file, summary, scorer, shared) for summary in summaries)


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


class _Shared:
    """Equal dictionaries of a run's samples as one object: most samples depend on the same things."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}

    def __call__(self, found: Any) -> dict[str, Any]:
        if not isinstance(found, dict):
            return {}
        return self._known.setdefault(repr(found), found)


def _sample(file: str, summary: EvalSampleSummary, scorer: str, shared: _Shared) -> SampleRow:
    scores = summary.scores or {}
    verdict = scores.get(scorer)
    value = observed(summary, scorer)
    if value is not None:
        _require_shapes(summary.metadata, _OF_ENTRY)
    kept = _kept(file, summary)
    provenance, details = (
        shared(kept.get("provenance")),
        shared((verdict.metadata if verdict else None) or {}),
    )
    _require_shapes(provenance, _OF_PROVENANCE)
    _require_shapes(details, _OF_DETAILS)
    return SampleRow(
        entry=str(summary.id),
        id=summary.id,
        epoch=summary.epoch,
        file=file,
        verdict=_digest(verdict),
        observed=value,
        broken_gold=bool(summary.metadata.get("broken_gold")),
        counters=_counters(scores.get("run_counters")),
        provenance=provenance,
        details=details,
        tokens=sum(usage.total_tokens for usage in summary.model_usage.values()),
        error=summary.error or (None if value else "not scored"),
        nearest=_finite(kept.get("nearest")),
        position=kept["position"] if isinstance(kept.get("position"), int) else None,
        usage=dict(summary.model_usage),
        roles=shared(_roles(kept.get("tokens"))),
        step_ms=_steps(kept.get("step_ms")),
        model_ms=kept["model_ms"] if isinstance(kept.get("model_ms"), int) else None,
    )


def _counters(counted: Score | None) -> dict[str, float]:
    found = counted.value if counted and isinstance(counted.value, dict) else {}
    numbers = {name: value for name, value in found.items() if isinstance(value, int | float)}
    return {name: float(value) for name, value in numbers.items() if abs(value) < LARGEST}


def _digest(verdict: Score | None) -> str:
    said = f"{verdict.value} {verdict.explanation}" if verdict else ""
    return hashlib.sha256(said.encode()).hexdigest()[:8]


def _roles(tokens: Any) -> dict[str, int]:
    """Tokens by role from those by role and direction; cached and reasoning ones are part of the others."""
    found: dict[str, int] = defaultdict(int)
    for key, count in tokens.items() if isinstance(tokens, dict) else ():
        role, _, direction = str(key).rpartition("_")
        if direction in ("input", "output") and isinstance(count, int):
            found[role] += count
    return dict(found)


def _steps(found: Any) -> tuple[int, ...]:
    told = found if isinstance(found, list) else []
    return tuple(ms for ms in told if isinstance(ms, int) and 0 <= ms < LARGEST)


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
