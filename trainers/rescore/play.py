"""The evaluations of a checkpoint, as a grid: each solver on each task, played by it and by its base."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kate_eval.endpoints.serve.deployment import serving
from kate_eval.endpoints.serve.options import Options as ServeOptions
from kate_eval.errors import unknown
from kate_eval.grid.cell import Cell, Grid, appworld, bfcl
from kate_eval.grid.options import Options
from kate_eval.grid.plan import Plan, State, make_plan, renewed
from kate_eval.grid.run import alone, run_missing, sweep
from kate_eval.report.read import read_runs
from kate_eval.report.runs import Run
from kate_eval.stats import weighted_mean
from kate_eval.trainers.checkpoint import Score, add_scores
from kate_eval.trainers.rescore.checkpoint import Checkpoint, Service, services

PROVIDER = "kate"
TASKS = ("bfcl", "appworld")
Say = Callable[[str], None]


def cells(tasks: Sequence[str], solvers: Sequence[str]) -> tuple[Cell, ...]:
    """Each solver on each task; AppWorld on both its test splits.

    Raises:
        ConfigurationError: there is no such task.
    """
    found: list[Cell] = []
    for task in tasks:
        if task not in TASKS:
            raise unknown("task", task, TASKS)
        for solver in solvers:
            if task == "bfcl":
                found.append(bfcl(solver, solver))
            else:
                found += [appworld(f"{solver}, {split}", solver, split) for split in SPLITS]
    return tuple(found)


SPLITS = ("test_normal", "test_challenge")


def rescore(
    checkpoint: Checkpoint,
    grid: Grid,
    options: Options,
    serve: dict[str, Any],
    beside_base: bool,
    say: Say,
    display: str = "none",
) -> list[Plan]:
    """Serve the checkpoint, and its base, and play what is missing.

    Args:
        checkpoint: to be scored; its card gets the scores.
        grid: the cells.
        options: of the grid; models and addresses are filled in here.
        serve: further fields of the servers' options: env, port, replicas, timeout, flags.
        beside_base: whether the base plays too.
        say: shows a line of progress.
        display: Inspect's.

    Returns:
        A plan for each server, as things stand in the end.

    Raises:
        ConfigurationError: a task, solver or model can't be used.
        ServerError: a server did not get ready.
    """
    plans = []
    with alone(options.log_dir):
        for service in services(checkpoint, beside_base):
            plans.append(_play(service, grid, options, serve, say, display))
    if checkpoint.card is not None:
        add_scores(checkpoint.folder, scores(plans, checkpoint.name, options.log_dir))
    return plans


def _play(
    service: Service, grid: Grid, options: Options, serve: dict[str, Any], say: Say, display: str
) -> Plan:
    plan = make_plan(grid.title, grid, _asked(service, options, None))
    if not plan.to_run:
        say(f"{', '.join(service.plays)}: everything is there already.")
        return plan
    with _served(service, serve, say) as urls:
        plan = make_plan(grid.title, grid, _asked(service, options, ",".join(urls)))
        for bank in plan.banks.values():
            if bank.ready is None:
                say(f"Building {bank.folder}")
                bank.build()
        run_missing(renewed(plan), display, say)
    plan = renewed(plan)
    sweep(plan.states)
    return plan


def _asked(service: Service, options: Options, base_url: str | None) -> Options:
    """The grid's options for a server's models."""
    told = {
        "models": tuple(f"{PROVIDER}/{name}" for name in service.plays),
        "model_facts": {f"{PROVIDER}/{name}": known for name, known in service.plays.items()},
        # Planning asks no server, but the provider wants an address.
        "base_url": base_url or "http://127.0.0.1:1/v1",
    }
    return options.model_copy(update=told)


@contextmanager
def _served(service: Service, serve: dict[str, Any], say: Say) -> Iterator[list[str]]:
    flags = ("--served-model-name", service.served, *service.flags, *serve.get("flags", ()))
    told = ServeOptions(**{**serve, "flags": flags}, model=service.model, adapters=service.adapters)
    with serving(told, say) as running:
        yield running.base_urls


def scores(plans: Sequence[Plan], name: str, log_dir: Path) -> list[Score]:
    """What a card keeps of a checkpoint's finished rows: the headline of each, with its standard error."""
    finished = [state for plan in plans for state in plan.states if state.kind == "finished"]
    logs = {
        state.best.file.name: state
        for state in finished
        if state.best is not None and state.row.model_name == f"{PROVIDER}/{name}"
    }
    runs = {run.sources[0].name: run for run in read_runs(log_dir)} if logs else {}
    return [_score(runs[file], state) for file, state in logs.items() if file in runs]


def _score(run: Run, state: State) -> Score:
    observed = [sample.observed for sample in run.samples if sample.observed is not None]
    metric, weights = run.benchmark.headline(observed)
    estimate = weighted_mean(observed, weights)
    return Score(
        task=f"{run.board} {run.metadata.get('split', '')}".strip(),
        solver=state.row.cell.label,
        metric=metric,
        value=estimate.mean,
        stderr=estimate.stderr,
        samples=estimate.n,
        date=datetime.now(UTC).date().isoformat(),
        log=run.sources[0].name,
    )
