"""What rows are called: by their grid's labels, which tell nothing apart that solver and settings don't."""

from pathlib import Path
from typing import Any

from rich.console import Console

from kate_eval.report.formats.csv import table_csv
from kate_eval.report.formats.markdown import markdown
from kate_eval.report.formats.terminal import shown
from kate_eval.report.make import make_document
from kate_eval.report.read import read_logs
from kate_eval.solvers.kate import baseline, width
from kate_eval.tasks.bfcl import bfcl
from tests.grid.playing import TWO, grid_file, kate_grid
from tests.report.made import APPWORLD, document, made, tables

BASE = {"categories": "multi_turn_base"}


def screen_of(found: Any, wide: bool = True) -> str:
    """What a terminal shows."""
    screen = Console(width=300, record=True)
    for part in shown(found, wide):
        screen.print(part)
    return screen.export_text()


def test_rows_of_a_grid_are_called_as_their_cells_and_others_as_before(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    done = kate_grid(
        grid_file(tmp_path, TWO), "--model", "simulated/default", "--limit", 1, "--log-dir", folder
    )
    assert done.exit_code == 0, done.output
    run(bfcl(**BASE), "simulated/default", baseline(), limit=1)
    reading = read_logs(folder)
    named = {r.title: r for r in reading.runs}
    assert named.keys() == {f"simulated/default {name}" for name in ("FC", "majority 4", "baseline")}
    assert named["simulated/default majority 4"].label == "simulated/default width (aggregate=majority)"
    found = make_document(reading, baseline="simulated/default FC")
    [table] = [t for t in found.tables if t.role == "leaderboard"]
    rows = {row.name: row for row in table.rows}
    assert rows.keys() == {"FC", "majority 4", ""}
    assert "| simulated/default | majority 4 | width (aggregate=majority) |" in markdown(found)
    assert ",majority 4," in table_csv(table) and "majority 4" in screen_of(found, wide=False)
    paired = rows["majority 4"].paired
    assert paired is not None and paired.baseline == named["simulated/default FC"].id


def test_a_table_without_names_has_no_column_for_them() -> None:
    assert "| Model | Solver |" in markdown(document(made("baseline", [1.0, 0.0])))


def test_one_name_for_several_ways_of_playing_tells_them_apart(run: Any, tmp_path: Path) -> None:
    for solver in (baseline(), width()):
        marked = bfcl(**BASE)
        marked.metadata = {**(marked.metadata or {}), "grid": {"name": "x", "cell": "FC", "key": solver}}
        marked.metadata["grid"]["key"] = "k"
        run(marked, "simulated/default", solver, limit=1)
    names = [r.name for r in read_logs(tmp_path / "logs").runs]
    assert names == ["FC: baseline", "FC: width"]


def test_both_splits_of_a_cell_are_a_row_by_the_words_that_they_share() -> None:
    runs = [
        made("kate", [1.0], metadata=APPWORLD | {"split": f"test_{kind}"}, name=f"KATE, {kind}")
        for kind in ("normal", "challenge")
    ]
    [row] = next(t for t in tables(*runs).values() if t.role == "overview").rows
    assert row.name == "KATE" and row.title == "vllm/a KATE"
