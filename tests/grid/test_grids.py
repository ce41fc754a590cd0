"""Our grids are the paper's tables: each expands to its cells."""

from pathlib import Path
from typing import Any

import pytest

from kate_eval.grid.cell import Grid
from kate_eval.grid.load import known_grids, load_grid
from kate_eval.grid.rows import check_solver, forms_of

Solver = tuple[str, dict[str, Any]]


def grid(name: str) -> Grid:
    return load_grid(name)[1]


def solvers(found: Grid) -> list[Solver]:
    """What each cell runs, without labels."""
    return [(cell.solver, cell.solver_args) for cell in found.cells]


def wide(rule: str, n: int) -> Solver:
    return "width", {"width": n, "aggregate": rule}


def known(rule: str) -> Solver:
    """Trajectories, and four candidates."""
    return "kate", {"knowledge": "trajectory", "width": 4, "aggregate": rule}


def test_the_grids_are_the_paper_s_tables() -> None:
    names = "appworld", "depth_width", "knowledge", "n", "perspectives", "training"
    assert list(known_grids()) == [*(f"paper_table_{name}" for name in names), "reflection"]


def test_knowledge_forms() -> None:
    found = grid("paper_table_knowledge")
    first, second, *others = found.cells
    assert (first.solver, first.task_args["mode"]) == ("baseline", "fc")
    assert (second.solver, second.task_args["mode"]) == ("baseline", "prompt")
    assert {cell.solver for cell in others} == {"knowledge"}
    assert {cell.task_args["mode"] for cell in others} == {"fc"}
    assert [forms_of(cell) for cell in others] == [
        ("summary",),
        ("trajectory",),
        ("intent",),
        ("intent_summary",),
        ("trajectory", "summary"),
        ("trajectory", "summary", "intent", "intent_summary"),
    ]


def test_depth_against_width() -> None:
    depths: list[Solver] = [("depth", {"prompt": prompt}) for prompt in ("state", "reflection", "intent")]
    both = "majority", "critic"
    expected = [("baseline", {}), *depths, *(wide(rule, 4) for rule in both), *map(known, both)]
    assert solvers(grid("paper_table_depth_width")) == expected


def test_numbers_of_candidates() -> None:
    widths = [wide(rule, n) for rule in ("majority", "critic") for n in (4, 8, 16)]
    assert solvers(grid("paper_table_n")) == [("baseline", {}), *widths]


def test_perspectives() -> None:
    found = solvers(grid("paper_table_perspectives"))
    for rule in ("majority", "critic"):
        assert ("width", {"sampling": "perspectives", "aggregate": rule}) in found
        assert wide(rule, 4) in found
    assert wide("critic_majority", 4) in found and ("baseline", {}) in found and len(found) == 6


def test_training_variants() -> None:
    found = grid("paper_table_training")
    variants = ("sft", "sft-knowledge", "rl", "rl-knowledge", "sft-rl", "sft-rl-knowledge")
    assert found.variants == variants
    for variant in (None, *variants):
        mine = [(cell.solver, cell.solver_args) for cell in found.cells if cell.variant == variant]
        assert mine == [("baseline", {}), known("critic")]


def test_appworld_on_both_test_splits() -> None:
    found = grid("paper_table_appworld")
    assert {cell.task for cell in found.cells} == {"appworld"}
    for split in ("test_normal", "test_challenge"):
        mine = [(c.solver, c.solver_args) for c in found.cells if c.task_args["split"] == split]
        assert mine == [
            ("baseline", {}),
            ("knowledge", {"knowledge": "trajectory"}),
            ("memp", {"knowledge": "trajectory,summary"}),
            known("critic"),
        ]


def test_bfcl_cells_are_the_multi_turn_test_half_and_every_solver_takes_its_parameters() -> None:
    for name in known_grids():
        for cell in grid(name).cells:
            if cell.task == "bfcl":
                assert (cell.task_args["categories"], cell.task_args["split"]) == ("multi_turn", "test")
            check_solver(cell)


def test_a_file_says_only_what_its_table_is(tmp_path: Path) -> None:
    for file in known_grids().values():
        assert len(file.read_text(encoding="utf-8").splitlines()) < 40


def test_paths_and_names_load_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = known_grids()["paper_table_n"]
    monkeypatch.chdir(tmp_path)  # of an installed package there is no grids/ here
    names = (str(file), "paper_table_n", "paper_table_n.py", "grids/paper_table_n.py")
    assert [load_grid(name) for name in names] == [load_grid(str(file))] * 4
