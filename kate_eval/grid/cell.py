"""What a grid file declares: cells, each a task with a solver. Pure data; no benchmark is loaded here."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kate_eval.errors import ConfigurationError


class Cell(BaseModel):
    """One row of a table, for each model that is given.

    It is declared by `bfcl` or `appworld` below.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1)
    """Its name in the table."""
    task: Literal["bfcl", "appworld"]
    task_args: dict[str, Any] = {}
    """As -T passes them."""
    solver: str
    """A short name that --solver knows."""
    solver_args: dict[str, Any] = {}
    """As -S passes them. A bank is not among them: the grid gives every cell the same."""
    variant: str | None = None
    """Played by the models that --model-variant names so, instead of the grid's models."""

    @property
    def identity(self) -> tuple[str, ...]:
        """All of it but its label: two cells of one identity would be played twice."""
        told = (self.task, sorted(self.task_args.items()), self.solver, sorted(self.solver_args.items()))
        return (*map(repr, told), self.variant or "")


class Grid(BaseModel):
    """A table: its cells, in the order of its rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1)
    cells: tuple[Cell, ...] = Field(min_length=1)

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of models that its cells ask for."""
        return tuple(dict.fromkeys(cell.variant for cell in self.cells if cell.variant))


def bfcl(
    label: str, solver: str, *, task: dict[str, Any] | None = None, variant: str | None = None, **args: Any
) -> Cell:
    """A cell on BFCL-V3's multi-turn test half, in function-calling mode where `task` says nothing else.

    Args:
        label: its name in the table.
        solver: a name that --solver knows.
        task: -T arguments.
        variant: the name of a model given by --model-variant.
        args: -S arguments.

    Raises:
        ConfigurationError: one of them is of the wrong kind.
    """
    defaults = {"categories": "multi_turn", "split": "test", "mode": "fc"}
    return _cell(label, "bfcl", defaults | (task or {}), solver, args, variant)


def appworld(label: str, solver: str, split: str, *, task: dict[str, Any] | None = None, **args: Any) -> Cell:
    """A cell on a split of AppWorld.

    Args:
        label: its name in the table.
        solver: a name that --solver knows.
        split: test_normal or test_challenge; `kate grid --world mini` puts mini_test in their place.
        task: further -T arguments.
        args: -S arguments.

    Raises:
        ConfigurationError: one of them is of the wrong kind.
    """
    return _cell(label, "appworld", {"split": split} | (task or {}), solver, args, None)


def _cell(
    label: str, task: str, task_args: dict[str, Any], solver: str, args: dict[str, Any], variant: str | None
) -> Cell:
    if "bank" in args:
        raise ConfigurationError(
            f"The cell {label!r} names a bank: leave it out, one bank is built for all cells (or --bank)"
        )
    told = {"label": label, "task": task, "task_args": task_args}
    told |= {"solver": solver, "solver_args": args, "variant": variant}
    try:
        return Cell.model_validate(told)
    except ValidationError as ex:
        first = ex.errors()[0]
        raise ConfigurationError(f"The cell {label!r}: {first['loc'][0]}: {first['msg']}") from ex


def require_distinct(grid: Grid) -> None:
    """Check that no two cells have one label, or are the same under two labels.

    Raises:
        ConfigurationError: some do.
    """
    labels: set[str] = set()
    seen: dict[tuple[str, ...], str] = {}
    for cell in grid.cells:
        if cell.label in labels:
            raise ConfigurationError(f"Two cells are called {cell.label!r}: give each a label of its own")
        labels.add(cell.label)
        if cell.identity in seen:
            raise ConfigurationError(
                f"The cells {seen[cell.identity]!r} and {cell.label!r} are the same: leave one out"
            )
        seen[cell.identity] = cell.label
