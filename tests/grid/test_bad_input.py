"""What can't be a grid is refused before anything runs: one line that says what and what else there is."""

from pathlib import Path

import pytest
from inspect_ai import Task

from kate_eval.errors import DatasetError
from kate_eval.grid.rows import TASKS
from tests.grid.playing import ONE, TWO, grid_file, kate_grid

MODEL = ("--model", "simulated/default")


def refused(*arguments: object) -> str:
    """What the command says of what it refuses."""
    done = kate_grid(*arguments)
    assert done.exit_code == 1 and "Traceback" not in done.output, done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (f"{ONE}, {ONE}", "Two cells are called 'FC'"),
        (f'{ONE}, bfcl("again", "baseline")', "The cells 'FC' and 'again' are the same"),
        ('bfcl("a", "wise")', "Unknown solver of the cell 'a' 'wise'; choose from: baseline"),
        ('bfcl("a", "width", with_=4)', "Unknown parameter of width in the cell 'a' 'with_'; choose from:"),
        ('bfcl("a", "width", width=4, temperature=0)', "The cell 'a': width > 1 with temperature 0"),
        ('bfcl("a", "width", aggregate="best")', "Unknown aggregate 'best'"),
        ('bfcl("a", "knowledge", knowledge="wisdom")', "Unknown knowledge form of the cell 'a' 'wisdom'"),
        ('bfcl("a", "depth", prompt=["x"])', "The cell 'a': "),
        ('bfcl("a", "baseline", task={"mode": "chat"})', "Unknown mode 'chat'; choose from: fc, prompt"),
        (
            'bfcl("a", "baseline", task={"level": 1})',
            "Unknown argument of the task bfcl in the cell 'a' 'level'",
        ),
        ('bfcl("a", "knowledge", bank="x")', "The cell 'a' names a bank: leave it out"),
        ('bfcl("", "baseline")', "The cell '': label"),
        ('bfcl("a", 7)', "The cell 'a': solver"),
        ('appworld("a", "baseline", "test_hard")', "test_hard"),
    ],
)
def test_cells_that_can_t_be_played(cells: str, says: str, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    assert says in refused(grid_file(tmp_path, cells), *MODEL, "--log-dir", logs)
    assert not logs.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("GRID = 1\n", "is no grid: it must set GRID"),
        ("x = 1\n", "is no grid: it must set GRID"),
        ("import nowhere\n", "can't be read: ModuleNotFoundError: No module named 'nowhere'"),
        ("def (:\n", "can't be read: SyntaxError"),
        ("from kate_eval.grid.cell import Grid\nGRID = Grid(title='t', cells=())\n", "can't be read"),
    ],
)
def test_files_that_are_no_grid(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "other.py"
    file.write_text(text, encoding="utf-8")
    assert says in refused(file, *MODEL)


def test_an_unknown_file_names_our_grids(tmp_path: Path) -> None:
    said = refused(tmp_path / "nothing.py", *MODEL)
    assert "No grid file" in said and "paper_table_knowledge" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "Name a model: --model"),
        (("--model", "simulated/none"), "Can't make the model 'simulated/none'"),
        (("--model", "nobody/x"), "Can't make the model 'nobody/x'"),
        ((*MODEL, "-M", "latency"), "-M 'latency' is not NAME=VALUE"),
        ((*MODEL, "--model-variant", "sft"), "--model-variant sft: write it as NAME=MODEL"),
        ((*MODEL, "--model-variant", "sft=a/b"), "Unknown model variant 'sft'; choose from: none"),
        ((*MODEL, "--bank", "nowhere"), "--bank nowhere: there is no bank in it"),
    ],
)
def test_options_that_don_t_fit(options: tuple[str, ...], says: str, tmp_path: Path) -> None:
    assert says in refused(grid_file(tmp_path, TWO), *options, "--log-dir", tmp_path / "logs")


def test_both_remedies_for_tasks_that_are_not_set_up_are_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(split: str) -> Task:
        raise DatasetError(f"No {split}. Run: kate appworld setup")

    monkeypatch.setitem(TASKS, "appworld", missing)
    said = refused(grid_file(tmp_path, 'appworld("A", "baseline", "test_normal")'), *MODEL)
    assert "Run: kate appworld setup. Or play our own tasks" in said


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%41b"])
def test_a_log_folder_that_inspect_can_t_list_is_refused_before_anything_is_played(
    name: str, tmp_path: Path
) -> None:
    file = grid_file(tmp_path)
    done = kate_grid(file, "--model", "simulated/default", "--log-dir", tmp_path / name)
    assert done.exit_code == 1 and "choose another --log-dir" in done.output
    assert not (tmp_path / name).exists()
