"""A grid's tables for people: what is planned, and how it ended."""

import math

from rich.table import Table

from kate_eval.grid.expect import expected
from kate_eval.grid.plan import Plan, State


def plan_table(plan: Plan) -> Table:
    """Each row with what is there of it and what the rest will cost."""
    table = Table(title=plan.grid.title, title_justify="left")
    for name in ("Cell", "Model", "State"):
        table.add_column(name)
    for name in ("Samples", "To play", "Requests", "Tokens in", "Tokens out"):
        table.add_column(name, justify="right")
    table.add_column("Expected by")
    table.add_column("Note")
    totals = [0.0, 0.0, 0.0]
    for state in plan.states:
        known = expected(state, plan)
        costs = ["-"] * 3
        if known.cost is not None and state.missing:
            numbers = (known.cost.requests, known.cost.input_tokens, known.cost.output_tokens)
            totals = [total + number for total, number in zip(totals, numbers, strict=True)]
            costs = [f"{number:,.0f}" for number in numbers]
        source = "" if not state.missing else known.source if known.cost is not None else "not known"
        table.add_row(
            *(state.row.cell.label, state.row.model_name, state.kind, _samples(state), str(state.missing)),
            *costs,
            source,
            state.note,
        )
    table.add_section()
    missing = sum(state.missing for state in plan.states)
    table.add_row("all", "", "", "", str(missing), *(f"{total:,.0f}" for total in totals), "", "")
    return table


def end_table(plan: Plan) -> Table:
    """Each row with its score; never without saying which of them are simulated."""
    marked = " (SIMULATED)" if plan.simulated == {True} else ""
    table = Table(title=f"{plan.grid.title}{marked}", title_justify="left")
    for name in ("Cell", "Model", "State"):
        table.add_column(name)
    for name in ("Score", "Samples", "Errors", "Req.", "Tokens"):
        table.add_column(name, justify="right")
    table.add_column("Note")
    for state in plan.states:
        best = state.best
        cost = best.cost if best is not None else None
        table.add_row(
            state.row.cell.label,
            state.row.model_name,
            state.kind,
            "-" if best is None or math.isnan(best.score) else f"{100 * best.score:.1f}",
            _samples(state),
            "-" if best is None else str(best.errored),
            "-" if cost is None else f"{cost.requests:.1f}",
            "-" if cost is None else f"{cost.input_tokens + cost.output_tokens:,.0f}",
            state.note,
        )
    return table


def _samples(state: State) -> str:
    return f"{state.done} of {state.row.planned}"
