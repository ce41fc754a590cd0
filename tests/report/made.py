"""Runs that were never played: what a report computes is tested on values that are known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kate_eval.report.document import Document, Table
from kate_eval.report.make import make_document
from kate_eval.report.read import Reading
from kate_eval.report.runs import Run, SampleRow, Source
from kate_eval.stats import Observed

BFCL = {
    "benchmark": "bfcl",
    "mode": "fc",
    "split": "test",
    "bfcl_eval_version": "2026.3.23",
    "data_hash": "d",
    "category_hashes": {"multi_turn_base": "h"},
}
APPWORLD = {
    "benchmark": "appworld",
    "mode": "code",
    "world": "full",
    "split": "test_normal",
    "data_hash": "d",
    "appworld_version": "0.1.3",
    "task_prompts_hash": "p",
}


def sample(
    entry: str, value: float | None, epoch: int = 1, group: str = "multi_turn_base", **more: Any
) -> SampleRow:
    """A sample of an entry that is a cluster of its own."""
    observed = None if value is None else Observed(value, group, f"c{entry}", entry)
    told: dict[str, Any] = {
        "counters": {"requests": 8.0, "mean_width": 1.0},
        "provenance": {},
        "details": {},
        "tokens": 1000,
        "error": None,
    }
    return SampleRow(entry, entry, epoch, "log.eval", "v", observed, False, **told | more)


def made(
    solver: str,
    values: Sequence[Sequence[float | None] | float | None],
    model: str = "vllm/a",
    parameters: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    group: str = "multi_turn_base",
    **more: Any,
) -> Run:
    """A finished run: for each entry its value, or one for each epoch; None where it was not scored."""
    epochs = [value if isinstance(value, Sequence) else [value] for value in values]
    samples = [
        sample(f"e{n}", value, epoch, group)
        for n, told in enumerate(epochs)
        for epoch, value in enumerate(told, 1)
    ]
    run = Run(
        sources=(Source(f"/logs/{solver}.eval", "logs", f"{solver}.eval", 0.0, 0, "2026-11-25"),),
        status="success",
        model=model,
        critic="",
        solver=solver,
        parameters=dict(parameters or {"recover": True}),
        generation={},
        selection="all",
        metadata={**BFCL, "entries": len(values)} | dict(metadata or {}),
        task_version="3-A",
        epochs=max(map(len, epochs), default=1),
        expected=len(samples),
        samples=tuple(samples),
    )
    return replace(run, **more)


def document(*runs: Run, **options: Any) -> Document:
    """The report of some runs."""
    return make_document(Reading(runs, ("logs",)), **options)


def tables(*runs: Run, **options: Any) -> dict[str, Table]:
    """The report's tables by id."""
    return {table.id: table for table in document(*runs, **options).tables}


def codes(run: Run, *beside: Run, **options: Any) -> list[str]:
    """The codes of a run's flags in its leaderboard."""
    found = document(run, *beside, **options).tables
    return [
        f.code for t in found if t.role == "leaderboard" for r in t.rows if r.id == run.id for f in r.flags
    ]
