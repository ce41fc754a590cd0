"""The order of rows: as a grid's cells, whenever they were played; others by their time."""

from typing import Any

from kate_eval.report.baseline import baselines
from kate_eval.report.order import ordered
from kate_eval.report.runs import Run, Source
from tests.report.made import made


def row(name: str, place: Any = None, grid: str = "g", **more: Any) -> Run:
    """A run that a grid marked; without a place as grids of before did."""
    mark = {"name": grid, "cell": name, "key": name} | ({} if place is None else {"place": place})
    return made("kate", [1.0], metadata={"grid": mark}, name=name, **more)


def names(*runs: Run) -> list[str]:
    return [run.name for run in ordered(runs)]


def test_a_grid_s_rows_stand_as_its_cells_whichever_was_written_first() -> None:
    runs = [row("KATE", [2, 0]), row("FC", [0, 0]), row("Memp", [1, 0])]
    assert names(*runs) == names(*reversed(runs)) == ["FC", "Memp", "KATE"]


def test_models_are_blocks_and_a_variant_s_model_stands_in_its_cells_order() -> None:
    b = {"model": "vllm/b"}
    runs = [row("KATE b", [2, 1], **b), row("FC b", [0, 0], **b), row("KATE a", [2, 0]), row("FC a", [0, 0])]
    sft = row("SFT", [1, 0], model="kate/sft")
    assert names(*runs, sft) == ["FC a", "SFT", "KATE a", "FC b", "KATE b"]


def test_other_runs_stay_by_time_and_each_grid_stands_where_its_oldest_does() -> None:
    runs = [
        row("old"),
        row("2", [1, 0]),
        row("x", [0, 0], "h"),
        made("width", [1.0], name="w"),
        row("1", [0, 0]),
    ]
    assert names(*runs) == ["old", "1", "2", "x", "w"]


def test_a_place_of_another_kind_is_none_and_no_place_tells_two_rows_apart() -> None:
    assert [row("x", place).place for place in ("1", [1], [True, 0], [1, None], [3, 1])] == [None] * 4 + [
        (3, 1)
    ]
    assert row("x").id == row("x", [3, 1]).id == row("x", [0, 0]).id


def test_of_baselines_with_equally_many_entries_the_newest_counts_wherever_it_stands() -> None:
    def one(name: str, created: str) -> Run:
        return made("baseline", [1.0], name=name, generation={"seed": name}, sources=(source(created),))

    runs = [one("newer", "2027"), one("older", "2026"), made("kate", [1.0])]
    assert [run.name for run in baselines(runs).values() if run] == ["newer"]


def source(created: str) -> Source:
    return Source("/logs/a.eval", "logs", "a.eval", 0.0, 0, created)
