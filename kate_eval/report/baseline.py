"""Which run each run is compared with: of the same model, on the same entries, in the same form."""

from collections.abc import Sequence

from kate_eval.errors import unknown
from kate_eval.report.runs import Run

BASELINE = "baseline"
"""The solver that runs are compared with unless a user says otherwise."""


def baselines(runs: Sequence[Run], name: str = BASELINE) -> dict[str, Run | None]:
    """Id of a run -> the run that it is compared with, None without one; baselines themselves are left out.

    Args:
        runs: all runs.
        name: a solver, of which each run gets the run of its own model that shares most entries with it (of
            equals the newest); or the name, label or id of one run, which may be another model's.

    Raises:
        ConfigurationError: no run has this name, and it is not the default.
    """
    named = [run for run in runs if name in (run.label, run.title, run.id)]
    candidates = named or [run for run in runs if run.solver == name]
    if not candidates and name != BASELINE:
        choices = {run.solver for run in runs} | {run.title for run in runs}
        raise unknown("baseline", name, choices, "Name a solver, or a row by model, solver and settings.")
    own = {run.id for run in candidates}
    return {run.id: _best(run, candidates, bool(named)) for run in runs if run.id not in own}


def _best(run: Run, candidates: Sequence[Run], any_model: bool) -> Run | None:
    like = [other for other in candidates if comparable(run, other, any_model)]
    shared = [(len(run.by_entry.keys() & other.by_entry.keys()), other.created) for other in like]
    best = max(shared, default=(0, ""))
    return like[len(shared) - 1 - shared[::-1].index(best)] if best[0] else None


def comparable(run: Run, other: Run, any_model: bool = False) -> bool:
    """Whether two runs asked the same model the same entries in the same form.

    What is simulated is compared with what is simulated only.
    """
    if run.model != other.model and not any_model:
        return False
    if (run.benchmark, run.task_version, run.simulated) != (
        other.benchmark,
        other.task_version,
        other.simulated,
    ):
        return False
    if any(run.metadata.get(key) != other.metadata.get(key) for key in run.benchmark.like):
        return False
    mine, theirs = (r.metadata.get("category_hashes") or {} for r in (run, other))
    return all(mine[category] == theirs[category] for category in mine.keys() & theirs.keys())
