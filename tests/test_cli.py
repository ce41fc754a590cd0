"""The `kate` command: banks are built, bad input is one clear line."""

import errno
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kate_eval.appworld import provision
from kate_eval.cli import main
from kate_eval.knowledge.folder import load_bank


def kate(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, list(arguments))


def test_a_bank_is_built_from_gold(tmp_path: Path) -> None:
    folder = tmp_path / "banks/bfcl-train"
    done = kate("knowledge", "build", "bfcl", "--form", "trajectory", "--split", "train", "-o", str(folder))
    assert done.exit_code == 0, done.output
    assert "371 items (trajectory 371; 371 new) from 100 entries" in done.output
    assert len(load_bank(folder).items) == 371


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["knowledge", "build", "webshop"], "Unknown benchmark 'webshop'; choose from: appworld, bfcl."),
        (["knowledge", "build", "bfcl", "--form", "wisdom"], "Unknown knowledge form 'wisdom'"),
        (["knowledge", "build", "bfcl", "--split", "dev"], "Unknown split 'dev'"),
        (["knowledge", "build", "bfcl", "--categories", "nope"], "Unknown category 'nope'"),
        (["knowledge", "build", "bfcl", "--categories", "irrelevance"], "A bank needs at least one item"),
    ],
)
def test_bad_input_is_one_line_that_says_the_choices(arguments: list[str], says: str, tmp_path: Path) -> None:
    done = kate(*arguments, "-o", str(tmp_path / "bank"))
    assert done.exit_code == 1 and says in done.output and "Traceback" not in done.output
    assert not (tmp_path / "bank").exists()


@pytest.mark.parametrize(
    ("number", "helps"), [(errno.ENOSPC, True), (errno.EACCES, True), (errno.EMFILE, False)]
)
def test_only_what_the_disk_refuses_is_answered_with_free_the_disk(
    number: int, helps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise OSError(number, os.strerror(number), "/some/file")

    monkeypatch.setattr(provision, "provision", fail)
    done = kate("appworld", "setup", "--mini")
    assert done.exit_code == 1 and "/some/file" in done.output and "Traceback" not in done.output
    assert ("Free the disk" in done.output) is helps


def test_setup_is_idempotent() -> None:
    done = kate("bfcl", "setup")
    assert done.exit_code == 0 and "already installed" in done.output


def test_the_demo_refuses_impossible_sizes(tmp_path: Path) -> None:
    for option, says in (("--entries", "1 to 100"), ("--tasks", "1 to 12")):
        done = kate("demo", option, "0", "--log-dir", str(tmp_path))
        assert done.exit_code == 1 and says in done.output


def test_the_demo_prints_a_leaderboard_of_five_solvers(tmp_path: Path) -> None:
    done = kate("demo", "--entries", "1", "--tasks", "1", "--log-dir", str(tmp_path))
    assert done.exit_code == 0, done.output
    board = (tmp_path / "report/report.md").read_text()
    assert all(f"| {name} |" in board for name in ("nearest", "baseline", "knowledge", "width", "kate"))
    assert board.count("SIMULATED endpoint") == 8 and "## AppWorld mini_test" in board
