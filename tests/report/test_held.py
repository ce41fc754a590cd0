"""A bank is told by what it held: neither a path nor a folder's name makes a row of its own."""

from pathlib import Path
from typing import Any

import pytest
from inspect_ai.log import read_eval_log, write_eval_log

from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.bank import make_bank
from kate_eval.knowledge.folder import load_bank, save_bank
from kate_eval.report.leaderboard import leaderboard
from kate_eval.report.read import read_runs
from kate_eval.report.runs import Run
from kate_eval.solvers.kate import kate, knowledge
from kate_eval.solvers.online import online
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Scripted, output
from tests.grid.playing import grid_file, kate_grid

BASE = {"categories": "multi_turn_base"}


def saved(folder: Path, items: int) -> str:
    """A bank of the first items of the default one; the hash of what it holds."""
    bank = default_bank("bfcl")
    save_bank(make_bank(bank.items[:items], bank.card), folder)
    return load_bank(folder).card.items_hash


@pytest.fixture
def play(run: Any, tmp_path: Path) -> Any:
    """Plays a sample with a bank, and says which runs the folder holds then."""

    silent = Scripted(lambda messages, config: output("Done."))

    def played(bank: Path) -> list[Run]:
        run(bfcl(**BASE), silent.model(), knowledge(bank=str(bank)), limit=1)
        return read_runs(tmp_path / "logs")

    return played


def flags(run: Run) -> set[str]:
    """Codes of the flags of a run alone."""
    [result] = leaderboard([run])
    return {flag.code for flag in result.flags}


def test_one_bank_at_two_paths_is_one_row_with_its_name_and_hash(play: Any, tmp_path: Path) -> None:
    held = saved(tmp_path / "a/mine", 50)
    [first] = play(tmp_path / "a/mine")
    assert saved(tmp_path / "elsewhere", 50) == held
    [second] = play(tmp_path / "elsewhere")
    assert second.id == first.id and second.replaced == (first.sources[0].name,)
    assert first.settings["bank"] == f"mine@{held[:8]}"
    assert second.settings["bank"] == f"elsewhere@{held[:8]}" and "bank_unknown" not in flags(second)


def test_two_banks_at_one_path_are_two_rows(play: Any, tmp_path: Path) -> None:
    hashes = []
    for items in (50, 60):
        hashes.append(saved(tmp_path / "b", items))
        runs = play(tmp_path / "b")
    assert [run.settings["bank"] for run in runs] == [f"b@{value[:8]}" for value in hashes]


def test_a_run_that_scored_nothing_stands_with_a_later_one_of_its_path(play: Any, tmp_path: Path) -> None:
    saved(tmp_path / "b", 50)
    [broken] = play(tmp_path / "b")
    log = read_eval_log(broken.sources[0].file)
    log.samples, log.status = [], "error"
    write_eval_log(log)
    [unknown] = read_runs(tmp_path / "logs")
    assert unknown.settings["bank"] == str(tmp_path / "b") and "bank_unknown" in flags(unknown)
    [run] = play(tmp_path / "b")
    assert run.replaced == (broken.sources[0].name,) and run.id == broken.id


def test_a_bank_that_no_log_tells_is_named_by_its_path_and_flagged(run: Any, tmp_path: Path) -> None:
    saved(tmp_path / "b", 50)
    silent = Scripted(lambda messages, config: output("Done.")).model()
    learns = online(memory=str(tmp_path / "memory"), bank=str(tmp_path / "b"))
    run(bfcl(**BASE), silent, learns, limit=1, max_samples=1)
    [found] = read_runs(tmp_path / "logs")
    assert found.settings["bank"] == str(tmp_path / "b") and "bank_unknown" in flags(found)


def test_a_bank_that_no_knowledge_is_taken_from_counts_for_nothing(run: Any, tmp_path: Path) -> None:
    saved(tmp_path / "b", 50)
    silent = Scripted(lambda messages, config: output("Done.")).model()
    run(bfcl(**BASE), silent, kate(knowledge="none", bank=str(tmp_path / "b"), width=2), limit=1)
    [found] = read_runs(tmp_path / "logs")
    assert "bank_unknown" not in flags(found)


@pytest.mark.parametrize("mark", ["mine", ["a"], {"depends": "abc"}])
def test_metadata_of_another_s_grid_is_no_grid_s(run: Any, tmp_path: Path, mark: object) -> None:
    silent = Scripted(lambda messages, config: output("Done.")).model()
    run(bfcl(**BASE), silent, knowledge(), limit=1, metadata={"grid": mark})
    [found] = read_runs(tmp_path / "logs")
    assert not found.trained_on_test and "leaked" not in flags(found)


def test_a_grid_s_logs_tell_it_before_anything_is_scored(tmp_path: Path) -> None:
    held = saved(tmp_path / "b", 50)
    file, folder = grid_file(tmp_path, 'bfcl("K", "knowledge")'), tmp_path / "logs"
    told = ("--model", "kate/nobody", "--model-base-url", "http://127.0.0.1:9/v1", "--retries", 0)
    kate_grid(file, *told, "--bank", tmp_path / "b", "--limit", 1, "--log-dir", folder)
    [found] = read_runs(folder)
    assert found.settings["bank"] == f"b@{held[:8]}" and not found.samples
