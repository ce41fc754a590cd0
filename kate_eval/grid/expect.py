"""What a row's missing samples will cost: by its own finished samples, by another row's, or as simulated."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kate_eval.grid.found import Cost, Found
from kate_eval.grid.plan import Plan, State

SIMULATED = Path(__file__).parent / "simulated_costs.json"
"""Shape -> requests, input and output tokens of a sample, as measure.py measured them."""
ENOUGH = 10
"""Scored samples of a log before it says what a sample costs."""


@dataclass(frozen=True)
class Expected:
    """What is expected of a row.

    Attributes:
        cost: of all its missing samples; None where nothing is known of its shape.
        source: "measured": on this model; "other model": on another; "simulated": on the simulated one.
    """

    cost: Cost | None
    source: str


def expected(state: State, plan: Plan) -> Expected:
    """The cost of what is missing of a row."""
    each, source = _each(state, plan.measured.get(state.row.shape, ()))
    if each is None:
        return Expected(None, source)
    count = state.missing
    total = Cost(each.requests * count, each.input_tokens * count, each.output_tokens * count)
    return Expected(total, source)


def _each(state: State, logs: Sequence[Found]) -> tuple[Cost | None, str]:
    known = [log for log in logs if log.cost is not None and log.count >= ENOUGH]
    own = [log for log in known if log.model == state.row.model_name]
    for chosen, source in ((own, "measured"), (known, "other model")):
        if chosen:
            return max(chosen, key=lambda log: (log.count, log.written)).cost, source
    return simulated_costs().get(state.row.shape), "simulated"


@cache
def simulated_costs() -> dict[str, Cost]:
    """Shape -> what a sample of it costs on the simulated endpoint."""
    return {shape: Cost(*numbers) for shape, numbers in json.loads(SIMULATED.read_text("utf-8")).items()}
