"""The leaderboard from real logs: scores, paired differences, what is flagged."""

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kate_eval.cli import main
from kate_eval.errors import ConfigurationError
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.bank import make_bank
from kate_eval.knowledge.folder import save_bank
from kate_eval.report.benchmarks import bfcl_headline
from kate_eval.report.formats.markdown import markdown
from kate_eval.report.leaderboard import Result, leaderboard
from kate_eval.report.make import make_document
from kate_eval.report.read import read_logs, read_runs
from kate_eval.solvers.kate import baseline, knowledge, width
from kate_eval.solvers.nearest import nearest
from kate_eval.stats import Observed
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Scripted, gold_answer, output

BASE = {"categories": "multi_turn_base"}


def rows(folder: Path) -> dict[str, Result]:
    """The leaderboard by solver."""
    return {row.run.solver: row for row in leaderboard(read_runs(folder))}


@pytest.fixture
def logs(run: Any, tmp_path: Path) -> Path:
    """A baseline that never calls, and a width run that plays gold, on the same model name."""
    silent = Scripted(lambda messages, config: output("Done."))
    run(bfcl(**BASE), silent.model(), baseline(), limit=6)
    run(bfcl(**BASE), Scripted(gold_answer()).model(), width(aggregate="majority"), limit=4)
    return tmp_path / "logs"


def test_a_row_shows_score_and_paired_difference_on_shared_entries(logs: Path) -> None:
    found = rows(logs)
    assert found["baseline"].scores["multi_turn_base"].mean == 0
    row = found["width"]
    assert row.headline == "multi_turn_base" and row.scores["multi_turn_base"].mean == 1
    assert row.difference is not None and (row.difference.mean, row.difference.n) == (1.0, 4)
    assert row.means["agreement_rate"] == 1 and row.run.settings == {"aggregate": "majority"}
    assert [flag.code for flag in row.flags] == ["partial", "few"]
    assert row.flags[0].text == "partial: 4 of 100 entries"


def test_runs_over_other_samples_or_settings_are_rows_of_their_own(run: Any, tmp_path: Path) -> None:
    for options in ({"limit": 2}, {"limit": 1}, {"limit": 2, "epochs": 2}, {"limit": 2, "temperature": 0.5}):
        run(bfcl(**BASE), "simulated/default", baseline(), **options)
    assert len(read_runs(tmp_path / "logs")) == 4


def test_a_damaged_log_is_named_and_left_out(logs: Path, caplog: pytest.LogCaptureFixture) -> None:
    (logs / "2026-01-01T00-00-00-00-00_bfcl_broken.eval").write_bytes(b"")
    assert len(read_runs(logs)) == 2
    assert "broken.eval" in caplog.text


def test_the_baseline_that_shares_most_entries_is_compared_with(run: Any, tmp_path: Path) -> None:
    silent = Scripted(lambda messages, config: output("Done."))
    run(bfcl(**BASE), silent.model(), baseline(), limit=3)
    run(bfcl(split="train", **BASE), silent.model(), baseline(), limit=3)
    both = bfcl(categories="multi_turn_base,multi_turn_miss_param")
    chosen = ["multi_turn_base_1", "multi_turn_base_3", "multi_turn_miss_param_1"]
    run(both, Scripted(gold_answer()).model(), width(aggregate="majority"), sample_id=chosen)
    [row] = [row for row in leaderboard(read_runs(tmp_path / "logs")) if row.run.solver == "width"]
    assert row.difference is not None and row.difference.n == 2


def test_a_newer_run_of_the_same_cell_replaces_the_older(run: Any, tmp_path: Path) -> None:
    run(bfcl(**BASE), Scripted(lambda m, c: output("Done.")).model(), baseline(), limit=1)
    run(bfcl(**BASE), Scripted(gold_answer()).model(), baseline(), limit=1)
    assert rows(tmp_path / "logs")["baseline"].scores["multi_turn_base"].mean == 1


def test_failed_samples_are_errors_and_not_zeros(run: Any, tmp_path: Path) -> None:
    calls = 0
    gold = gold_answer()

    def sometimes(messages: Any, config: Any) -> Any:
        nonlocal calls
        calls += 1
        if "alex" in messages[0].text:
            raise RuntimeError("connection lost")
        return gold(messages, config)

    run(bfcl(**BASE), Scripted(sometimes).model(), baseline(), limit=3)
    row = rows(tmp_path / "logs")["baseline"]
    assert row.errors == 1 and row.scores["multi_turn_base"].n == 2
    assert row.scores["multi_turn_base"].mean == 1
    assert "1 of 3 samples not scored" in [flag.text for flag in row.flags]


def test_leaked_and_simulated_runs_are_flagged(run: Any, tmp_path: Path) -> None:
    task = bfcl(categories="multi_turn_base", split="train")
    run(task, "simulated/default", knowledge(allow_leakage=True), limit=2)
    flags = rows(tmp_path / "logs")["knowledge"].flags
    assert {"simulated", "leaked"} <= {flag.code for flag in flags}
    assert "SIMULATED" in markdown(make_document(read_logs(tmp_path / "logs")))


def test_rows_of_a_bank_that_was_rebuilt_between_them_are_flagged(run: Any, tmp_path: Path) -> None:
    bank, silent = default_bank("bfcl"), Scripted(lambda messages, config: output("Done."))
    for k, items in ((1, bank.items[:50]), (2, bank.items[:60]), (3, bank.items[:60])):
        save_bank(make_bank(items, bank.card), tmp_path / "b")
        run(bfcl(**BASE), silent.model(), knowledge(bank=str(tmp_path / "b"), k=k), limit=1)
        flagged = [
            any(flag.code == "bank_differs" for flag in row.flags)
            for row in leaderboard(read_runs(tmp_path / "logs"))
        ]
        assert flagged == [k > 1] * k
    save_bank(bank, tmp_path / "other")
    run(bfcl(**BASE), silent.model(), knowledge(bank=str(tmp_path / "other")), limit=1)
    last = leaderboard(read_runs(tmp_path / "logs"))[-1]
    assert not any(flag.code == "bank_differs" for flag in last.flags)


def test_the_floor_has_no_model(run: Any, tmp_path: Path) -> None:
    run(bfcl(**BASE), "mockllm/model", nearest(), limit=2)
    row = rows(tmp_path / "logs")["nearest"]
    assert row.run.model == "(no model)" and row.means["requests"] == 0


def test_the_command_prints_a_table_and_writes_markdown(logs: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["report", str(logs), "-o", str(tmp_path / "out/board.md")])
    assert done.exit_code == 0, done.output
    assert re.search(r"width \(aggregate=majority\).*100\.0", done.output)
    text = (tmp_path / "out/board.md").read_text()
    assert (
        "provenance" in text and "+100.0 (no spread)" in text and not list((tmp_path / "out").glob("*.json"))
    )


def test_options_that_don_t_fit_are_refused_before_a_log_is_read(tmp_path: Path) -> None:
    for options, says in ((["-o", "x.pdf"], "x.pdf is no format of ours"), (["--port", "1"], "add --serve")):
        done = CliRunner().invoke(main, ["report", str(tmp_path / "nowhere"), *options])
        assert done.exit_code and says in done.output and "nowhere" not in done.output


def test_a_folder_without_logs_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No folder"):
        read_runs(tmp_path / "nowhere")
    done = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert done.exit_code == 1 and "No kate-eval logs" in done.output and "Traceback" not in done.output


def test_the_headline_is_the_broadest_complete_aggregate() -> None:
    def observed(*categories: str) -> list[Observed]:
        return [Observed(1.0, category, category) for category in categories]

    multi = [f"multi_turn_{kind}" for kind in ("base", "miss_func", "miss_param", "long_context")]
    assert bfcl_headline(observed(*multi))[0] == "multi_turn"
    assert bfcl_headline(observed(*multi, "live_simple"))[0] == "mean of samples"
    assert bfcl_headline(observed("live_simple"))[0] == "live_simple"
