"""Grids run: only what is missing, one writer, failures apart; a real model endpoint is stood in for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from inspect_ai.log import EvalError, list_eval_logs, read_eval_log, write_eval_log
from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput, modelapi
from inspect_ai.tool import ToolChoice, ToolInfo

from kate_eval.endpoints.simulated import SimulatedAPI, current_sample
from kate_eval.grid.found import read_found
from kate_eval.knowledge.acquire import trajectory_bank
from kate_eval.knowledge.acquire.bfcl import gold_cases
from kate_eval.knowledge.folder import load_bank, save_bank
from tests.grid.playing import ONE, TWO, grid_file, kate_grid, rows

SIMULATED = ("--model", "simulated/default", "--limit", 1)
BROKEN: dict[str, str] = {}
"""Entry -> what the flaky endpoint answers instead of playing it."""


@modelapi(name="flaky")
def flaky() -> type[SimulatedAPI]:
    """The simulated endpoint, but for the entries in BROKEN."""

    class Flaky(SimulatedAPI):
        async def generate(
            self,
            input: list[ChatMessage],
            tools: list[ToolInfo],
            tool_choice: ToolChoice,
            config: GenerateConfig,
        ) -> ModelOutput:
            if current_sample().entry in BROKEN:
                raise RuntimeError(BROKEN[current_sample().entry])
            return await super().generate(input, tools, tool_choice, config)

    return Flaky


@pytest.fixture(autouse=True)
def whole() -> Iterator[None]:
    """Each test begins with an endpoint that works."""
    BROKEN.clear()
    yield
    BROKEN.clear()


def logs(folder: Path) -> dict[str, Any]:
    """Cell -> its log's header; each cell has one."""
    headers = [read_eval_log(info, header_only=True) for info in list_eval_logs(str(folder))]
    found = {log.eval.metadata["grid"]["cell"]: log for log in headers if log.eval.metadata}
    assert len(found) == len(headers)
    return found


def test_a_grid_runs_once_and_then_only_what_is_missing(tmp_path: Path) -> None:
    file, folder = grid_file(tmp_path, ONE), tmp_path / "logs"
    plan = kate_grid(file, *SIMULATED, "--log-dir", folder, "--dry-run")
    assert rows(plan.output)["FC"][:4] == ["simulated/default", "not run", "0 of 4", "4"]
    assert not folder.exists()

    first = kate_grid(file, *SIMULATED, "--log-dir", folder)
    assert "Mine (SIMULATED)" in first.output and "nothing in them is a model's" in first.output
    assert first.exit_code == 0 and "FC, simulated/default: success, 4 of 4 samples" in first.output
    played = logs(folder)["FC"].eval.run_id
    assert logs(folder)["FC"].eval.metadata["grid"]["name"] == "mine"

    assert logs(folder)["FC"].eval.metadata["grid"]["place"] == [0, 0]

    two = grid_file(tmp_path, TWO)  # a row more
    plan = kate_grid(two, *SIMULATED, "--log-dir", folder, "--dry-run")
    assert rows(plan.output)["FC"][1:4] == ["finished", "4 of 4", "0"]
    assert rows(plan.output)["all"][3] == "4"
    second = kate_grid(two, *SIMULATED, "--log-dir", folder)
    assert second.exit_code == 0 and "FC, simulated/default: success" not in second.output
    assert logs(folder)["FC"].eval.run_id == played
    assert logs(folder)["majority 4"].eval.metadata["grid"]["place"] == [1, 0]

    more = kate_grid(two, "--model", "simulated/default", "--limit", 2, "--log-dir", folder)
    assert [row[3] for row in rows(more.output).values()] == ["8 of 8", "8 of 8"]


def test_other_entries_are_missing_though_as_many_samples_are_there(tmp_path: Path) -> None:
    file, told = grid_file(tmp_path, ONE), ("--model", "simulated/default", "--log-dir", tmp_path / "logs")
    twice = rows(kate_grid(file, *told, "--limit", 1, "--epochs", 2).output)["FC"]
    assert (twice[1], twice[3]) == ("finished", "8 of 8")
    plan = rows(kate_grid(file, *told, "--limit", 2, "--dry-run").output)["FC"]
    assert plan[1:4] == ["partial", "4 of 8", "4"]
    once = rows(kate_grid(file, *told, "--limit", 2).output)["FC"]
    assert (once[1], once[3]) == ("finished", "8 of 8")


def test_a_folder_s_name_may_have_spaces_and_letters_of_any_language(tmp_path: Path) -> None:
    file, folder = grid_file(tmp_path, ONE), tmp_path / "a bü"
    assert kate_grid(file, *SIMULATED, "--log-dir", folder).exit_code == 0
    [[found]] = read_found(folder).values()
    assert found.file.is_file()


def test_a_failed_sample_is_named_and_tried_again_and_the_rest_is_kept(tmp_path: Path) -> None:
    file, folder = grid_file(tmp_path, TWO), tmp_path / "logs"
    flaky = (file, "--model", "flaky/default", "--limit", 1, "--log-dir", folder, "--retries", 1)
    BROKEN["multi_turn_base_1"] = "the cable is out"
    done = kate_grid(*flaky)
    assert done.exit_code == 1
    for cell in ("FC", "majority 4"):
        state, _, samples, errors = rows(done.output)[cell][1:5]
        assert (state, samples, errors) == ("partial", "3 of 4", "1")
        assert "the cable is out" in rows(done.output)[cell][-1]
    assert "2 of 2 rows are not finished" in done.output

    BROKEN.clear()
    good = "multi_turn_long_context_1"
    BROKEN[good] = "it is not asked again"
    done = kate_grid(*flaky)
    assert done.exit_code == 0, done.output
    assert [row[1:4:2] for row in rows(done.output).values()] == [["finished", "4 of 4"]] * 2


def test_a_row_whose_endpoint_is_down_says_so_and_the_others_are_played(tmp_path: Path) -> None:
    file, folder = grid_file(tmp_path, ONE), tmp_path / "logs"
    url = "http://127.0.0.1:9/v1"
    both = (*SIMULATED, "--model", "kate/nobody", "--model-base-url", url, "--log-dir", folder)
    done = kate_grid(file, *both, "--retries", 1)
    assert done.exit_code == 1
    assert "Mine (SIMULATED)" not in done.output and "Rows of simulated/ models are SIMULATED" in done.output
    found = [line for line in done.output.splitlines() if line.startswith("│ FC")]
    assert "finished" in found[0] and "failed" in found[1] and "No server answers" in found[1]


def test_one_writer_a_log_folder(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with FileLock(tmp_path / "logs/.grid.lock"):
        done = kate_grid(grid_file(tmp_path, ONE), *SIMULATED, "--log-dir", tmp_path / "logs")
    assert done.exit_code == 1 and "Another `kate grid` is writing into" in done.output


def test_variants_are_played_by_who_is_named_and_else_said_to_lack_a_model(tmp_path: Path) -> None:
    cells = 'bfcl("sft", "baseline", variant="sft"), bfcl("rl", "baseline", variant="rl")'
    file, folder = grid_file(tmp_path, cells), tmp_path / "logs"
    named = ("--limit", 1, "--model-variant", "sft=simulated/default", "--log-dir", folder)
    done = kate_grid(file, *named)
    assert done.exit_code == 0
    assert rows(done.output)["sft"][:2] == ["simulated/default", "finished"]
    assert rows(done.output)["rl"][:2] == ["-", "no model"]
    assert "--model-variant rl=MODEL names one" in done.output


def test_a_changed_bank_makes_its_rows_outdated(tmp_path: Path) -> None:
    """The bank is the user's here; that one is built is tested with the knowledge grid."""
    folder, bank = tmp_path / "logs", tmp_path / "bank"
    acquired = gold_cases("train")
    save_bank(trajectory_bank(acquired), bank)
    file = grid_file(tmp_path, f'{ONE}, bfcl("trajectory", "knowledge", knowledge="trajectory")')
    told = (file, *SIMULATED, "--bank", bank, "--log-dir", folder)
    assert kate_grid(*told).exit_code == 0
    before = logs(folder)["trajectory"]
    assert before.eval.metadata["grid"]["depends"]["bank"] == load_bank(bank).card.items_hash

    smaller = acquired.__class__(acquired.cases[:50], acquired.card, acquired.siblings, acquired.by_class)
    save_bank(trajectory_bank(smaller), bank)
    plan = rows(kate_grid(*told, "--dry-run").output)
    assert plan["FC"][1] == "finished"
    assert plan["trajectory"][1] == "outdated" and plan["trajectory"][-1] == "not as it was: bank"

    done = kate_grid(*told)
    assert done.exit_code == 0 and rows(done.output)["trajectory"][1] == "finished"
    assert logs(folder)["trajectory"].eval.run_id != before.eval.run_id
    assert len(list(folder.glob("*.eval.outdated"))) == 1


def broken_off(folder: Path, status: Any, samples: int, error: str = "") -> None:
    """Make the folder's log one of a run that was broken off, with some of its samples whole."""
    log = read_eval_log(list_eval_logs(str(folder))[0])
    for sample in (log.samples or [])[samples:]:
        sample.error = EvalError(message=error, traceback="", traceback_ansi="")
        sample.scores = {}
    write_eval_log(log.model_copy(update={"status": status, "results": None}), log.location)


def test_what_was_broken_off_is_said_to_be_and_what_lacks_nothing_why_it_is_not_finished(
    tmp_path: Path,
) -> None:
    file, folder = grid_file(tmp_path, ONE), tmp_path / "logs"
    asked = (file, *SIMULATED, "--log-dir", folder)
    assert kate_grid(*asked).exit_code == 0
    broken_off(folder, "started", 4)
    assert rows(kate_grid(*asked, "--dry-run").output)["FC"][-1].startswith("broken off once all was played")
    broken_off(folder, "started", 3, "CancelledError('Cancelled via cancel scope 7f')")
    plan = rows(kate_grid(*asked, "--dry-run").output)["FC"]
    assert plan[1:4] == ["partial", "3 of 4", "1"] and plan[-1] == "interrupted"


def test_a_damaged_log_hides_no_other(tmp_path: Path) -> None:
    file, folder = grid_file(tmp_path, ONE), tmp_path / "logs"
    assert kate_grid(file, *SIMULATED, "--log-dir", folder).exit_code == 0
    (folder / "2026-01-01T00-00-00-00-00_bfcl_damaged.eval").write_bytes(b"PK\x03\x04 no more")
    assert rows(kate_grid(file, *SIMULATED, "--log-dir", folder, "--dry-run").output)["FC"][1] == "finished"


def test_the_mini_world_stands_in_for_both_splits_once(tmp_path: Path) -> None:
    plan = kate_grid(
        "paper_table_appworld", *SIMULATED, "--world", "mini", "--log-dir", tmp_path, "--dry-run"
    )
    assert plan.exit_code == 0, plan.output
    cells = [name for name in rows(plan.output) if name.endswith(("normal", "challenge"))]
    assert cells == [f"{name}, normal" for name in ("ReAct", "ReAct + trajectories", "Memp", "KATE")]
    assert "to be built once, of trajectory, summary, by simulated/default" in plan.output


def test_expected_costs_come_from_the_same_shape_where_there_is_some(tmp_path: Path) -> None:
    file = grid_file(tmp_path, ONE)
    plan = rows(
        kate_grid(file, "--model", "simulated/default", "--log-dir", tmp_path / "a", "--dry-run").output
    )
    assert plan["FC"][2:4] == ["0 of 400", "400"] and plan["FC"][7] == "simulated"
    costs = json.loads((Path(__file__).parents[2] / "kate_eval/grid/simulated_costs.json").read_text())
    [each] = [numbers for shape, numbers in costs.items() if '"baseline"' in shape and '"fc"' in shape]
    assert plan["FC"][4:7] == [f"{400 * number:,.0f}" for number in each]

    enough = ("--limit", 3, "--log-dir", tmp_path / "b")
    assert kate_grid(file, "--model", "simulated/default", *enough).exit_code == 0
    again = (file, "--model", "simulated/default", "--log-dir", tmp_path / "b", "--dry-run")
    assert rows(kate_grid(*again).output)["FC"][7] == "measured"
    other = (file, "--model", "simulated/weak", "--log-dir", tmp_path / "b", "--dry-run")
    assert rows(kate_grid(*other).output)["FC"][7] == "other model"
