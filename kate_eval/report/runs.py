"""Runs: what a report needs of each log, read from its header and sample summaries."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspect_ai.log import (
    EvalLog,
    EvalSampleSummary,
    list_eval_logs,
    read_eval_log,
    read_eval_log_sample_summaries,
)
from inspect_ai.scorer import CORRECT

from kate_eval.errors import ConfigurationError
from kate_eval.stats import Observed

SCORER = "bfcl_verdict"
SETUP = "open_bfcl"


@dataclass(frozen=True)
class SampleRow:
    """One sample and epoch of a run.

    Attributes:
        key: identifies it across runs: entry id and epoch.
        observed: its value (0 or 1), category and cluster; None where it could not be scored.
        broken_gold: whether no honest answer can pass.
        counters: the values of run_counters.
        tokens: input and output tokens of all models.
        error: why it failed, if it failed.
    """

    key: str
    observed: Observed | None
    broken_gold: bool
    counters: dict[str, float]
    tokens: int
    error: str | None


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
    metadata: dict[str, Any]
    task_version: str
    expected: int
    """Samples x epochs that the run was to play."""
    samples: tuple[SampleRow, ...]

    @property
    def simulated(self) -> bool:
        """Whether any number in this run comes from the simulated endpoint."""
        return "simulated" in f"{self.model} {self.critic}"

    @property
    def cell(self) -> tuple[str, ...]:
        """What the run measured; a newer run of the same cell replaces an older one."""
        settings = (self.parameters, self.metadata, self.task_version)
        return (self.model, self.critic, self.solver, *map(repr, settings))


def read_runs(folder: Path) -> list[Run]:
    """The runs of our tasks below a folder, newest per cell, oldest first.

    Raises:
        ConfigurationError: there is no such folder, or no log of ours in it.
    """
    if not folder.exists():
        raise ConfigurationError(f"No folder {folder}; logs go to ./logs unless --log-dir says otherwise")
    headers = [
        (read_eval_log(info, header_only=True), info) for info in list_eval_logs(str(folder.resolve()))
    ]
    ours = [(log, info) for log, info in headers if (log.eval.metadata or {}).get("benchmark") == "bfcl"]
    found: dict[tuple[str, ...], Run] = {}
    # The time of creation has whole seconds; of two logs of one second the later written is the newer.
    for log, info in sorted(ours, key=lambda pair: (str(pair[0].eval.created), pair[1].mtime or 0)):
        run = _run(info.name, log, read_eval_log_sample_summaries(info))
        found.pop(run.cell, None)
        found[run.cell] = run
    if not found:
        raise ConfigurationError(f"No kate-eval logs in {folder}; make one: inspect eval kate_eval/bfcl ...")
    return list(found.values())


def _run(file: str, log: EvalLog, summaries: list[EvalSampleSummary]) -> Run:
    step = next((s for s in reversed(log.plan.steps) if not s.solver.endswith(SETUP)), None)
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
        metadata=dict(log.eval.metadata or {}),
        task_version=str(log.eval.task_version),
        expected=_expected(log),
        samples=tuple(_sample(summary) for summary in summaries),
    )


def _expected(log: EvalLog) -> int:
    if log.results is not None:
        return log.results.total_samples
    # A run that was killed has no results; its spec still lists the samples that it set out to play.
    return len(log.eval.dataset.sample_ids or []) * (log.eval.config.epochs or 1)


def _sample(summary: EvalSampleSummary) -> SampleRow:
    scores = summary.scores or {}
    verdict = scores.get(SCORER)
    observed = None
    scored = verdict is not None and not (isinstance(verdict.value, float) and math.isnan(verdict.value))
    if verdict is not None and scored and not summary.error:
        value = 1.0 if verdict.value in (CORRECT, 1, 1.0) else 0.0
        observed = Observed(value, summary.metadata["category"], summary.metadata["cluster"])
    counters = scores["run_counters"].value if "run_counters" in scores else {}
    return SampleRow(
        key=f"{summary.id}#{summary.epoch}",
        observed=observed,
        broken_gold=bool(summary.metadata.get("broken_gold")),
        counters={k: float(v) for k, v in counters.items() if isinstance(v, int | float)}
        if isinstance(counters, dict)
        else {},
        tokens=sum(usage.total_tokens for usage in summary.model_usage.values()),
        error=summary.error or (None if observed else "not scored"),
    )
