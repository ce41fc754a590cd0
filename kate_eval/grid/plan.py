"""A grid's plan: its rows, its banks, and for each row what is there and what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kate_eval.errors import ConfigurationError
from kate_eval.grid.bank import GridBank, bank_hash, plan_banks
from kate_eval.grid.cell import Grid
from kate_eval.grid.found import Found, read_found
from kate_eval.grid.options import Options
from kate_eval.grid.rows import Row, expand, make_task
from kate_eval.logs import SIMULATED
from kate_eval.solvers.parameters import prompts_hash

Kind = Literal["finished", "partial", "failed", "outdated", "not run", "no model"]
TO_RUN: tuple[Kind, ...] = ("partial", "failed", "outdated", "not run")

WHOLE = "broken off once all was played: the next run only ends its log"


@dataclass(frozen=True)
class State:
    """Where a row stands.

    Attributes:
        row: the row.
        kind: finished; partial (some samples are there); failed; outdated (what it depends on has changed);
            not run; no model (its variant was not named).
        best: its best log.
        others: what that log makes superfluous.
        note: why, if there is anything to say.
    """

    row: Row
    kind: Kind
    best: Found | None = None
    others: tuple[Found, ...] = ()
    note: str = ""

    @property
    def done(self) -> int:
        """Planned samples that its best log has."""
        return self.row.done(self.best.scored) if self.best is not None else 0

    @property
    def missing(self) -> int:
        """Samples that are still to be played."""
        if self.kind not in TO_RUN:
            return 0
        return self.row.planned - (self.done if self.kind != "outdated" else 0)


@dataclass(frozen=True)
class Plan:
    """What a grid comes to with a user's options.

    Attributes:
        name: of the grid.
        grid: as declared.
        options: as given.
        rows: with what their numbers depend on now.
        banks: task -> the bank of its cells, where the default bank doesn't do.
        states: of each row.
        measured: shape -> logs of it that can say what a sample costs.
    """

    name: str
    grid: Grid
    options: Options
    rows: tuple[Row, ...]
    banks: Mapping[str, GridBank]
    states: tuple[State, ...]
    measured: Mapping[str, Sequence[Found]]

    @property
    def simulated(self) -> frozenset[bool]:
        """Whether rows are played by the simulated model: both where some are, and others are not."""
        played = (row.model_name for row in self.rows if row.model is not None)
        return frozenset(name.startswith(SIMULATED) for name in played)

    @property
    def to_run(self) -> list[State]:
        """The states of the rows that something is missing of."""
        return [state for state in self.states if state.kind in TO_RUN]


def make_plan(name: str, grid: Grid, options: Options) -> Plan:
    """Check all of it, and find out what is there.

    Raises:
        ConfigurationError: a model, task, solver, bank or log folder can't be used.
        DatasetError: a benchmark is not set up.
    """
    _require_listable(options.log_dir)
    rows = expand(grid, options)
    banks = plan_banks(rows, options)
    return renewed(Plan(name, grid, options, tuple(rows), banks, (), {}))


def _require_listable(log_dir: Path) -> None:
    """Refuse a folder that eval_set takes for a URL: it fails to list it, once all is played."""
    place = str(log_dir.resolve())
    found = [character for character in "#?%" if character in place]
    if found:
        raise ConfigurationError(
            f"--log-dir {place}: Inspect can't list a folder with {' or '.join(found)} in its path; "
            "choose another --log-dir"
        )


def renewed(plan: Plan) -> Plan:
    """The plan as things are now: banks may have been built, rows played."""
    cards = {task: bank.ready for task, bank in plan.banks.items()}
    _require_forms(plan)
    data = {_task_of(row): make_task(row.cell, None) for row in plan.rows}

    facts = plan.options.model_facts

    def depends(row: Row) -> dict[str, str]:
        task = data[_task_of(row)]
        told = {f"model: {name}": fact for name, fact in facts.get(row.model_name, {}).items()}
        return told | {
            "bank": bank_hash(row.cell, cards, plan.options),
            "data": str((task.metadata or {}).get("data_hash", "")),
            "prompts": prompts_hash(),
            "task": str(task.version),
        }

    rows = tuple(replace(row, depends=depends(row)) for row in plan.rows)
    found = read_found(plan.options.log_dir)
    states = tuple(state_of(row, found.get(row.key, [])) for row in rows)
    measured: dict[str, list[Found]] = {}
    for one in (one for logs in found.values() for one in logs):
        measured.setdefault(one.shape, []).append(one)
    return replace(plan, rows=rows, states=states, measured=measured)


def _task_of(row: Row) -> tuple[str, str]:
    return row.cell.task, repr(sorted(row.cell.task_args.items()))


def _require_forms(plan: Plan) -> None:
    for bank in plan.banks.values():
        card = bank.ready
        if bank.split == "" and card is not None:  # the user's own
            lacking = [form for form in bank.forms if form not in card.forms]
            if lacking:
                raise ConfigurationError(
                    f"--bank {bank.folder} has no items of form {', '.join(lacking)}, which the grid shows; "
                    f"it has: {', '.join(card.forms)}"
                )


def state_of(row: Row, logs: Sequence[Found]) -> State:
    """Where a row stands, by its logs, the best first."""
    if row.model is None:
        return State(row, "no model", note=f"--model-variant {row.cell.variant}=MODEL names one")
    fresh = [log for log in logs if log.depends == row.depends]
    if not fresh:
        if not logs:
            return State(row, "not run")
        return State(row, "outdated", logs[0], tuple(logs[1:]), _changed(row, logs[0]))
    best, others = fresh[0], tuple(log for log in logs if log is not fresh[0])
    if best.status == "success" and row.done(best.scored) == row.planned and not best.errored:
        return State(row, "finished", best, others)
    begun = best.count > 0 or best.status in ("started", "cancelled")
    whole = row.done(best.scored) == row.planned and not best.errored
    return State(row, "partial" if begun else "failed", best, others, WHOLE if whole else best.reason)


def _changed(row: Row, log: Found) -> str:
    """What a log's numbers depend on that is not as it was."""
    if not row.depends.get("bank") and log.depends.get("bank"):
        return "the bank it was played with is not there"
    changed = [name for name, value in row.depends.items() if log.depends.get(name) != value]
    return f"not as it was: {', '.join(changed)}"
