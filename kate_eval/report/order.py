"""The order of rows: a grid's as its cells are declared, whenever they were played; others by their time."""

from collections import defaultdict
from collections.abc import Sequence

from kate_eval.report.runs import Run


def ordered(runs: Sequence[Run]) -> list[Run]:
    """The runs, those of one grid together where its oldest was, model by model in the order of its cells.

    Args:
        runs: oldest first; what says no place in a grid stays so.
    """
    grids: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.place is not None:
            grids[run.grid].append(run)
    found: list[Run] = []
    for run in runs:
        found += [run] if run.place is None else _by_place(grids.pop(run.grid, []))
    return found


def _by_place(runs: Sequence[Run]) -> list[Run]:
    # A command that named fewer models than another counted them anew: the higher place is a model's.
    models: dict[str, int] = defaultdict(int)
    places = [(run, run.place or (0, 0)) for run in runs]
    for run, (_, model) in places:
        models[run.model] = max(models[run.model], model)
    return [
        run for run, _ in sorted(places, key=lambda pair: (models[pair[0].model], pair[1][0], pair[0].model))
    ]
