"""The rows of a grid: its cells with the models that play them, checked before anything runs."""

import hashlib
import inspect
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inspect_ai import Task, task_with
from inspect_ai.model import Model
from inspect_ai.solver import Solver

from kate_eval._registry import SOLVERS, appworld, bfcl
from kate_eval.appworld.places import SPLITS
from kate_eval.endpoints.probe.command import make_model
from kate_eval.errors import ConfigurationError, DatasetError, one_line, unknown
from kate_eval.grid.cell import Cell, Grid
from kate_eval.grid.options import Options
from kate_eval.knowledge.acquire.build import FORMS

TASKS: dict[str, Callable[..., Task]] = {"bfcl": bfcl, "appworld": appworld}
STAND_INS = {"test_normal": SPLITS["mini"][-1], "test_challenge": SPLITS["mini"][-1]}
"""AppWorld's published splits -> what plays their part in the mini world."""
NO_MODEL = "-"


@dataclass(frozen=True, eq=False)
class Row:
    """One cell, played by one model.

    Attributes:
        cell: as declared, with the world that was chosen.
        model: None where the command line names none for the cell's variant.
        model_args: as they were passed, for the row's key.
        entries: ids of the entries to play.
        epochs: of each of them.
        depends: what its numbers depend on beside what was declared: name -> hash or version.
        place: of the cell in the grid, and of the model among those that play it, from 0.
    """

    cell: Cell
    model: Model | None
    model_args: tuple[str, ...]
    entries: frozenset[str]
    epochs: int
    depends: Mapping[str, str] = field(default_factory=dict)
    place: tuple[int, int] = (0, 0)

    @property
    def planned(self) -> int:
        """Samples: entries x epochs."""
        return len(self.entries) * self.epochs

    def done(self, scored: Mapping[str, frozenset[int]]) -> int:
        """How many of the planned samples are among those scored: entry -> epochs."""
        return sum(
            epoch <= self.epochs
            for entry, epochs in scored.items()
            if entry in self.entries
            for epoch in epochs
        )

    @property
    def model_name(self) -> str:
        """As Inspect writes it."""
        return NO_MODEL if self.model is None else str(self.model)

    @property
    def shape(self) -> str:
        """What its cost depends on: task and solver, not the split, nor who plays."""
        task = {name: value for name, value in self.cell.task_args.items() if name != "split"}
        return _text([self.cell.task, task, self.cell.solver, self.cell.solver_args])

    @property
    def key(self) -> str:
        """Says in a log which row it is of, in whatever grid: 16 hex digits."""
        told = [self.shape, self.cell.task_args.get("split"), self.model_name, sorted(self.model_args)]
        return hashlib.sha256(_text(told).encode()).hexdigest()[:16]


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def expand(grid: Grid, options: Options) -> list[Row]:
    """The grid's rows, model by model; those of variants come last.

    Raises:
        ConfigurationError: a model, task or solver can't be used.
        DatasetError: a benchmark is not set up.
    """
    cells = [of_world(cell, options.world) for cell in grid.cells]
    if options.world == "mini":
        cells = _without_repeats(cells)
    for cell in cells:
        check_solver(cell)
    entries = {_text([c.task, c.task_args]): _entries(make_task(c, options.limit)) for c in cells}
    models, variants = _models(grid, options)

    def row(place: int, player: int, model: Model | None) -> Row:
        cell = cells[place]
        mine = entries[_text([cell.task, cell.task_args])]
        return Row(cell, model, options.model_args, mine, options.epochs, place=(place, player))

    plain = [place for place, cell in enumerate(cells) if not cell.variant]
    rows = [row(place, player, model) for player, model in enumerate(models) for place in plain]
    for place, cell in enumerate(cells):
        if cell.variant:
            players: Sequence[Model | None] = variants.get(cell.variant) or [None]
            rows += [row(place, player, model) for player, model in enumerate(players)]
    return rows


def _entries(task: Task) -> frozenset[str]:
    return frozenset(str(sample.id) for sample in task.dataset)


def of_world(cell: Cell, world: str) -> Cell:
    """The cell as it is in a world of AppWorld."""
    split = cell.task_args.get("split")
    if cell.task != "appworld" or world == "real" or split not in STAND_INS:
        return cell
    return cell.model_copy(update={"task_args": cell.task_args | {"split": STAND_INS[split]}})


def _without_repeats(cells: Sequence[Cell]) -> list[Cell]:
    """The cells, without those that another's stand-in makes a repetition."""
    return list({cell.identity: cell for cell in reversed(cells)}.values())[::-1]


def _models(grid: Grid, options: Options) -> tuple[list[Model], dict[str, list[Model]]]:
    """The grid's models, and those of each variant."""
    if not options.models and any(not cell.variant for cell in grid.cells):
        raise ConfigurationError("Name a model: --model vllm/Qwen/Qwen3-8B, or --model simulated/default")
    for name, _ in options.variants:
        if name not in grid.variants:
            raise unknown("model variant", name, grid.variants, "They are the grid's: see its file")
    made: dict[str, Model] = {}
    for name in (*options.models, *(model for _, model in options.variants)):
        if name not in made:
            made[name] = make_model(name, options.base_url, options.model_args)
    variants: dict[str, list[Model]] = {}
    for name, model in dict.fromkeys(options.variants):
        variants.setdefault(name, []).append(made[model])
    return [made[name] for name in dict.fromkeys(options.models)], variants


def make_task(cell: Cell, limit: int | None) -> Task:
    """The cell's task, with the first samples of each category.

    Raises:
        ConfigurationError: a task argument can't be used.
        DatasetError: the benchmark is not set up.
    """
    factory = TASKS[cell.task]
    _require_known(f"argument of the task {cell.task}", cell.task_args, factory, cell)
    try:
        task = factory(**cell.task_args)
    except DatasetError as ex:
        hint = ". Or play our own tasks: --world mini" if cell.task == "appworld" else ""
        raise DatasetError(f"{str(ex).rstrip('.')}{hint}" if hint else str(ex)) from ex
    if limit is None:
        return task
    seen: Counter[str] = Counter()
    chosen = set()
    for sample in task.dataset:
        category = str((sample.metadata or {}).get("category"))
        seen[category] += 1
        if seen[category] <= limit:
            chosen.add(sample.id)
    return task_with(task, dataset=task.dataset.filter(lambda sample: sample.id in chosen))


def make_solver(cell: Cell, bank: str | None) -> Solver:
    """The cell's solver, with the grid's bank."""
    given = {"bank": bank} if bank is not None else {}
    return SOLVERS[cell.solver](**cell.solver_args, **given)


def check_solver(cell: Cell) -> None:
    """Have the solver itself refuse wrong parameters, before there is a bank.

    Raises:
        ConfigurationError: it does, or there is no such solver or form; the message names the cell.
    """
    if cell.solver not in SOLVERS:
        raise unknown(f"solver of the cell {cell.label!r}", cell.solver, SOLVERS)
    _require_known(f"parameter of {cell.solver}", cell.solver_args, SOLVERS[cell.solver], cell)
    forms = forms_of(cell)
    for form in forms:
        if form not in FORMS:
            raise unknown(f"knowledge form of the cell {cell.label!r}", form, FORMS)
    # The bank is not there yet: what every default bank has stands in for the forms.
    stand_in = {"knowledge": "trajectory"} if forms else {}
    try:
        SOLVERS[cell.solver](**(cell.solver_args | stand_in))
    except DatasetError:
        raise
    except Exception as ex:  # a value of a wrong type may be refused by anything
        raise ConfigurationError(f"The cell {cell.label!r}: {one_line(ex)}") from ex


def _require_known(kind: str, given: Mapping[str, Any], factory: Callable[..., Any], cell: Cell) -> None:
    known = inspect.signature(factory).parameters
    for name in given:
        if name not in known:
            raise unknown(f"{kind} in the cell {cell.label!r}", name, known)


def forms_of(cell: Cell) -> tuple[str, ...]:
    """The knowledge forms that a cell shows."""
    parameter = inspect.signature(SOLVERS[cell.solver]).parameters.get("knowledge")
    if parameter is None:
        return ()
    value = cell.solver_args.get("knowledge", parameter.default)
    names = value.split(",") if isinstance(value, str) else list(value or ())
    return tuple(name.strip() for name in names if name.strip() not in ("", "none"))
