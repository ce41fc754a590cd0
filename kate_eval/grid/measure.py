"""Measures what a sample of each of our grids' cells costs on the simulated endpoint.

What `kate grid --dry-run` expects where nothing was played yet; a test measures again and compares.

    python -m kate_eval.grid.measure        # a few minutes; writes simulated_costs.json
"""

import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from kate_eval.grid.cell import Cell, Grid
from kate_eval.grid.expect import SIMULATED
from kate_eval.grid.load import known_grids, load_grid
from kate_eval.grid.options import Options
from kate_eval.grid.plan import make_plan, renewed
from kate_eval.grid.run import run_missing
from kate_eval.grid.supply import supplied

MODEL = "simulated/default"
LIMIT = 5
"""Samples of each category (AppWorld: difficulty, of the mini world)."""


def our_cells() -> list[Cell]:
    """The cells of our grids, each shape once."""
    cells = [cell for file in known_grids().values() for cell in load_grid(str(file))[1].cells]
    plain = [cell for cell in cells if not cell.variant and cell.task_args.get("split") != "test_challenge"]
    return list({cell.identity: cell for cell in plain}.values())


def measure(
    cells: Iterable[Cell], log_dir: Path, say: Callable[[str], None] = print
) -> dict[str, list[float]]:
    """Shape -> requests, input tokens and output tokens of a sample, in the mean."""
    distinct = tuple(cell.model_copy(update={"label": str(n)}) for n, cell in enumerate(cells))
    options = Options(models=(MODEL,), log_dir=log_dir, limit=LIMIT, world="mini")
    plan = make_plan("costs", Grid(title="costs", cells=distinct), options)
    run_missing(supplied(plan, "none", say), "none", say)
    found: dict[str, list[float]] = {}
    for state in renewed(plan).states:
        assert state.kind == "finished" and state.best is not None and state.best.cost is not None, state.note
        cost = state.best.cost
        numbers = (cost.requests, cost.input_tokens, cost.output_tokens)
        found[state.row.shape] = [round(number, 1) for number in numbers]
    return found


def main() -> None:
    """Measure and write."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(our_cells(), Path(folder))
    lines = (f"  {json.dumps(shape)}: {json.dumps(numbers)}" for shape, numbers in sorted(found.items()))
    SIMULATED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
