"""Exported logs: the official layout, what could not be scored left out and named, runs kept apart."""

import json
import math
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from inspect_ai import eval, task_with
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import ModelOutput

from kate_eval.bfcl.data import load_category
from kate_eval.bfcl.interchange.mend import mended
from kate_eval.bfcl.interchange.score import score_results
from kate_eval.cli import main
from kate_eval.episode import OUTCOME_KEY
from kate_eval.logs import ORIGIN
from kate_eval.solvers.kate import baseline, width
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Scripted, output

MODEL = "gpt-4o-2024-11-20-FC"


def exported(log: EvalLog | Path, folder: Path, *options: str) -> Result:
    """Run the command on a log."""
    path = log if isinstance(log, Path) else Path(log.location)
    return CliRunner().invoke(main, ["bfcl", "export", str(path), "-o", str(folder), *options])


def results(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def calls_or_fails(fails: Callable[[str], bool]) -> Scripted:
    """A model that calls a function that there is not, or whose endpoint fails."""

    def answer(messages: Any, config: Any) -> ModelOutput:
        if fails(messages[-1].text):
            raise RuntimeError("connection lost")
        return output([("no_such_function", {"x": "é"})])

    return Scripted(answer)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a run of four entries, of which the second one's endpoint fails."""
    second = load_category("multiple")[1].turns[0][0]["content"]
    model = calls_or_fails(lambda text: text == second).model()
    task, folder = bfcl(categories="multiple", split="all"), tmp_path_factory.mktemp("logs")
    [log] = eval(task, model=model, solver=baseline(), limit=4, log_dir=str(folder), display="log")
    return Path(log.location)


@pytest.fixture
def one_failed(played: Path, tmp_path: Path) -> EvalLog:
    """That log, in a file that a test may change."""
    return read_eval_log(str(shutil.copy(played, tmp_path / played.name)))


def test_scored_samples_are_written_and_others_named(one_failed: EvalLog, tmp_path: Path) -> None:
    done = exported(one_failed, tmp_path / "result")
    assert done.exit_code == 0, done.output
    assert "3 entries of baseline_mockllm-scripted_" in done.output
    assert "multiple_1 left out, not scored: " in done.output and "connection lost" in done.output
    assert f"bfcl evaluate --model {MODEL} --result-dir {tmp_path}/result" in done.output
    assert "--partial-eval" in done.output
    lines = results(tmp_path / "result" / MODEL / "non_live" / "BFCL_v4_multiple_result.json")
    assert [line["id"] for line in lines] == ["multiple_0", "multiple_2", "multiple_3"]
    assert lines[0]["result"] == [{"no_such_function": json.dumps({"x": "é"})}]


def test_samples_without_a_score_are_left_out(one_failed: EvalLog, tmp_path: Path) -> None:
    third, fourth = (
        sample for sample in one_failed.samples or [] if sample.id in ("multiple_2", "multiple_3")
    )
    assert third.scores is not None
    third.scores["bfcl_verdict"].value = math.nan
    del fourth.store[OUTCOME_KEY]
    write_eval_log(one_failed, one_failed.location)
    done = exported(one_failed, tmp_path)
    assert "1 entries of" in done.output
    assert "multiple_2 left out, not scored: the log has no score for it" in done.output
    assert "multiple_3 left out, not scored: the log has no result of it" in done.output


def test_runs_and_epochs_get_a_result_folder_each(run: Any, tmp_path: Path) -> None:
    task = bfcl(categories="parallel", split="all")
    log = run(task_with(task, epochs=2), "simulated/default", baseline(), limit=2)
    done = exported(log, tmp_path / "all")
    folders = sorted(path.name for path in (tmp_path / "all").iterdir())
    assert [name.rpartition("_")[2] for name in folders] == ["e1", "e2"], done.output
    for name in folders:
        assert score_results(tmp_path / "all" / name / MODEL, None).judged.keys() == {
            "parallel_0",
            "parallel_1",
        }
    assert exported(log, tmp_path / "two", "--epoch", "2").exit_code == 0
    assert [path.name for path in (tmp_path / "two").iterdir()] == [MODEL]
    done = exported(log, tmp_path / "none", "--epoch", "3")
    assert done.exit_code == 1 and "--epoch 3: the runs have 2" in done.output


def test_another_model_of_the_official_table_may_stand_for_ours(one_failed: EvalLog, tmp_path: Path) -> None:
    done = exported(one_failed, tmp_path / "result", "--handler", "mistral-large-2411-FC")
    assert done.exit_code == 0 and "--model mistral-large-2411-FC" in done.output
    assert [path.name for path in (tmp_path / "result").iterdir()] == ["mistral-large-2411-FC"]
    done = exported(one_failed, tmp_path / "no", "--handler", "Qwen/Qwen3-8B-FC")
    assert done.exit_code == 1 and "its QwenFCHandler does not read results of mode 'fc'" in done.output
    assert not (tmp_path / "no").exists()


def test_a_run_that_did_not_end_well_is_refused_unless_asked_for(one_failed: EvalLog, tmp_path: Path) -> None:
    log = one_failed.model_copy(update={"status": "cancelled"})
    write_eval_log(log, log.location)
    done = exported(log, tmp_path / "out")
    assert done.exit_code == 1 and "(cancelled)" in done.output and "--partial" in done.output
    assert not (tmp_path / "out").exists()
    assert exported(log, tmp_path / "out", "--partial").exit_code == 0


def test_another_run_s_folder_is_not_overwritten(one_failed: EvalLog, tmp_path: Path) -> None:
    result = tmp_path / "result"
    assert exported(one_failed, result).exit_code == 0
    (result / MODEL / "left").touch()
    assert exported(one_failed, result).exit_code == 0  # the same run's is replaced
    assert not (result / MODEL / "left").exists()
    (result / MODEL / ORIGIN).write_text("[")
    done = exported(one_failed, result)
    assert done.exit_code == 1 and "does not hold epoch 1 of this run" in done.output
    assert (result / MODEL / "non_live").is_dir()


def test_parts_of_a_run_are_one_result(one_failed: EvalLog, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    samples = one_failed.samples or []
    metadata = {**(one_failed.eval.metadata or {}), "shards": 2}
    for number, part in enumerate((samples[:2], samples[2:])):
        dataset = one_failed.eval.dataset.model_copy(update={"sample_ids": [s.id for s in part]})
        spec = one_failed.eval.model_copy(
            update={"metadata": metadata, "dataset": dataset, "eval_id": f"part{number}"}
        )
        write_eval_log(
            one_failed.model_copy(update={"eval": spec, "samples": part}), str(folder / f"{number}.eval")
        )
    done = exported(folder, tmp_path / "result")
    assert done.exit_code == 0 and "3 entries of" in done.output, done.output
    both = read_eval_log(str(folder / "0.eval"))
    write_eval_log(both, str(folder / "again.eval"))
    done = exported(folder, tmp_path / "other")
    assert done.exit_code == 1 and "is in two logs of one run" in done.output


def test_other_logs_are_refused(tmp_path: Path) -> None:
    done = exported(tmp_path / "none", tmp_path / "out")
    assert done.exit_code == 1 and "No such log or folder" in done.output
    (tmp_path / "empty").mkdir()
    done = exported(tmp_path / "empty", tmp_path / "out")
    assert done.exit_code == 1 and "No BFCL logs" in done.output
    (tmp_path / "bad.eval").write_bytes(b"PK")
    done = exported(tmp_path / "bad.eval", tmp_path / "out")
    assert done.exit_code == 1 and "Can't read" in done.output and "bad.eval" in done.output


def test_a_run_on_other_data_is_named_and_the_others_are_exported(
    one_failed: EvalLog, tmp_path: Path
) -> None:
    (tmp_path / "logs").mkdir()
    shutil.copy(one_failed.location, tmp_path / "logs")
    spec = one_failed.eval
    metadata = {**(spec.metadata or {}), "bfcl_eval_version": "2025.1.1"}
    old = one_failed.model_copy(
        update={
            "eval": spec.model_copy(update={"metadata": metadata, "eval_id": "old"}),
            "status": "cancelled",  # nobody is told to finish it, either
        }
    )
    write_eval_log(old, str(tmp_path / "logs" / "old.eval"))
    done = exported(tmp_path / "logs", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert (
        "Left out, played on the data of bfcl-eval 2025.1.1: " in done.output
        and "3 entries of" in done.output
    )
    done = exported(tmp_path / "logs" / "old.eval", tmp_path / "none")
    assert done.exit_code == 1 and "None of the BFCL logs in " in done.output
    assert not (tmp_path / "none").exists()


def test_halves_of_characters_are_mended_and_whole_ones_kept() -> None:
    half, whole = json.dumps({"x": "\ud83d"}), json.dumps({"x": "🚗"})
    assert mended([{"f": half}, {"f": whole}], "fc") == [{"f": '{"x": "\\ufffd"}'}, {"f": whole}]
    assert mended([["[f(x='\\ud83d\\ude97')]", "\ude97🚗"]], "prompt") == [
        ["[f(x='\\ufffd\\ufffd')]", "\ufffd🚗"]
    ]
    assert mended([7, None, {"f": {}}], "fc") == [7, None, {"f": {}}]


def test_a_damaged_log_is_named_and_the_others_are_exported(one_failed: EvalLog, tmp_path: Path) -> None:
    whole = Path(one_failed.location)
    (tmp_path / "bad.eval").write_bytes(b"PK")
    spoilt = tmp_path / "spoilt.eval"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(spoilt, "w") as target:
        for name in source.namelist():
            target.writestr(name, b"{" if name.startswith("samples/") else source.read(name))
    done = exported(tmp_path, tmp_path / "result")
    assert done.exit_code == 0 and f"can't be read: {tmp_path}/bad.eval (it is cut off" in done.output
    assert f"can't be read to its end: {spoilt} (" in done.output and "3 entries of" in done.output
    done = exported(spoilt, tmp_path / "none")
    assert done.exit_code == 1 and "None of the logs can be read to its end" in done.output


def test_a_sample_in_flight_when_its_run_was_broken_off_is_said_to_be_interrupted(
    one_failed: EvalLog, tmp_path: Path
) -> None:
    failed = next(sample for sample in one_failed.samples or [] if sample.error)
    assert failed.error is not None
    failed.error.message = "CancelledError('Cancelled via cancel scope 7f; reason: deadline')\n\nmore"
    log = one_failed.model_copy(update={"status": "cancelled"})
    write_eval_log(log, log.location)
    done = exported(log, tmp_path / "out", "--partial")
    assert f"{failed.id} left out, not scored: interrupted\n" in done.output


def test_the_folder_says_how_its_run_was_played_and_a_simulated_one_is_scored_as_such(
    run: Any, tmp_path: Path
) -> None:
    task = bfcl(categories="parallel", split="all")
    task.metadata = {**(task.metadata or {}), "grid": {"name": "g", "cell": "majority"}}
    log = run(task, "simulated/default", width(width=2, aggregate="majority"), limit=1)
    folder = tmp_path / "result" / MODEL
    assert exported(log, tmp_path / "result").exit_code == 0
    told = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
    assert (told["solver"], told["cell"], told["SIMULATED"]) == ("width", "majority", True)
    assert told["settings"]["width"] == 2 and told["model"] == "simulated/default"
    for place in (folder, folder / "non_live" / "BFCL_v4_parallel_result.json", tmp_path / "result"):
        done = CliRunner().invoke(main, ["bfcl", "score", str(place)])
        assert done.exit_code == 0 and "BFCL-V3 (SIMULATED)" in done.output, done.output
    (folder / ORIGIN).write_text('{"SIMULATED": "no"}')
    assert "SIMULATED" not in CliRunner().invoke(main, ["bfcl", "score", str(folder)]).output
