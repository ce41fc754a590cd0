"""Exported outputs: the engine's own evaluation gives the numbers that the task reported, to the digit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import ModelOutput

from kate_eval.appworld import data, provision
from kate_eval.appworld import export as module
from kate_eval.appworld.export import Exported, experiment_name, export_logs
from kate_eval.appworld.record import load_demonstration
from kate_eval.cli import main
from kate_eval.episode import OUTCOME_KEY
from kate_eval.solvers.kate import baseline
from kate_eval.tasks.appworld import appworld
from tests.conftest import Scripted, output

SPLIT = "mini_test"


def plays(quit_early: Callable[[str], bool], crash: Callable[[str], bool]) -> Scripted:
    """A model that plays each task's own solution, or submits nothing, or fails."""
    tasks = {task.instruction: task.id for task in data.load(SPLIT)}

    def answer(messages: Any, config: Any) -> ModelOutput:
        task_id = next(i for text, i in tasks.items() if messages[1].text.rstrip().endswith(text))
        if crash(task_id):
            raise RuntimeError("connection lost")
        steps = load_demonstration("mini", task_id)["steps"]
        done = sum(message.role == "assistant" for message in messages)
        code = "apis.supervisor.complete_task()" if quit_early(task_id) else steps[done]["code"]
        return output(f"```python\n{code}\n```")

    return Scripted(answer)


def evaluated(folder: Path, made: Exported) -> dict[str, Any]:
    """What the engine's own command says of an exported experiment."""
    code = provision.run_official("mini", folder, ["evaluate", made.folder.name, made.split])
    assert code == 0
    report: dict[str, Any] = json.loads((made.folder / "evaluations" / f"{made.split}.json").read_text())
    return report


@pytest.mark.slow
def test_the_engine_s_own_command_gives_the_same_numbers(run: Any, tmp_path: Path) -> None:
    model = plays(quit_early=lambda i: i.endswith("_2") and i < "9", crash=lambda i: False).model()
    log: EvalLog = run(appworld(split=SPLIT), model, baseline())
    assert log.results is not None
    values = {name: metric.value for one in log.results.scores for name, metric in one.metrics.items()}
    assert 0 < values["tgc"] < 100
    [made] = anyio.run(export_logs, [Path(log.location)], tmp_path / "experiments", False, False)
    report = evaluated(tmp_path / "experiments", made)
    assert (
        made.untouched == made.unscored == ()
        and made.left_out == 0
        and made.folder.name.endswith(f"_{SPLIT}")
    )
    assert report["aggregate"] == {
        "task_goal_completion": values["tgc"],
        "scenario_goal_completion": values["sgc"],
    }
    assert {i: r["success"] for i, r in report["individual"].items()} == {
        str(s.id): s.scores["appworld_verdict"].value == "C"  # type: ignore[index]
        for s in log.samples or []
    }


@pytest.mark.slow
def test_a_task_without_outputs_is_named_and_fails(run: Any, tmp_path: Path) -> None:
    first = data.task_ids(SPLIT)[0]
    model = plays(quit_early=lambda i: True, crash=lambda i: i == first).model()
    log: EvalLog = run(appworld(split=SPLIT), model, baseline())
    assert sum(sample.error is not None for sample in log.samples or []) == 1
    for sample in log.samples or []:  # as in a run that was broken off before the outputs were saved
        if sample.id == first:
            sample.store.pop(OUTCOME_KEY, None)
    write_eval_log(log, log.location)
    done = CliRunner().invoke(main, ["appworld", "export", log.location, "-o", str(tmp_path / "experiments")])
    assert done.exit_code == 0, done.output
    assert "1 without outputs" in done.output and f"{first} has no outputs in the log" in done.output
    [folder] = (tmp_path / "experiments" / "outputs").iterdir()
    report = evaluated(tmp_path / "experiments", Exported(folder, SPLIT, 12, (first,), (), 0))
    assert report["individual"][first]["success"] is False


def exported(log: EvalLog | Path, folder: Path, *options: str) -> Result:
    """Run the command on a log."""
    path = log if isinstance(log, Path) else Path(log.location)
    return CliRunner().invoke(main, ["appworld", "export", str(path), "-o", str(folder), *options])


@pytest.fixture
def two(run: Any) -> EvalLog:
    """A run limited to two tasks: the first is solved, the second one's endpoint fails."""
    second = data.task_ids(SPLIT)[1]
    model = plays(quit_early=lambda i: False, crash=lambda i: i == second).model()
    log: EvalLog = run(appworld(split=SPLIT), model, baseline(), limit=2)
    return log


@pytest.mark.slow
def test_a_task_that_is_not_scored_is_exported_and_named(two: EvalLog, tmp_path: Path) -> None:
    first, second = data.task_ids(SPLIT)[:2]
    done = exported(two, tmp_path)
    assert done.exit_code == 0, done.output
    assert f"{second} failed and is not scored: the engine's numbers count it" in done.output
    assert f"{first} failed" not in done.output
    [folder] = (tmp_path / "outputs").iterdir()
    assert {path.name for path in (folder / "tasks").iterdir()} == {first, second}


@pytest.mark.slow
def test_tasks_that_were_not_played_are_counted_or_filled(two: EvalLog, tmp_path: Path) -> None:
    done = exported(two, tmp_path / "played")
    assert "10 tasks of mini_test were not played" in done.output
    assert "kate appworld official" not in done.output
    done = exported(two, tmp_path / "filled", "--fill")
    assert "kate appworld official" in done.output and "12 tasks, 10 without outputs" in done.output
    [folder] = (tmp_path / "filled/outputs").iterdir()
    report = evaluated(tmp_path / "filled", Exported(folder, SPLIT, 12, (), (), 0))
    successes = [task_id for task_id, one in report["individual"].items() if one["success"]]
    assert successes == [data.task_ids(SPLIT)[0]]


def test_a_run_that_did_not_end_well_is_refused_unless_asked_for(two: EvalLog, tmp_path: Path) -> None:
    for status in ("cancelled", "error", "started"):
        log = two.model_copy(update={"status": status})
        write_eval_log(log, log.location)
        done = exported(log, tmp_path / "out")
        assert done.exit_code == 1 and f"({status})" in done.output and "--partial" in done.output
        assert not (tmp_path / "out").exists()
    assert exported(two, tmp_path / "out", "--partial").exit_code == 0


def test_another_run_s_folder_is_not_overwritten(two: EvalLog, tmp_path: Path) -> None:
    assert exported(two, tmp_path).exit_code == 0
    [folder] = (tmp_path / "outputs").iterdir()
    (folder / "left").touch()
    assert exported(two, tmp_path).exit_code == 0  # the same run's is replaced
    assert not (folder / "left").exists()
    for other in ('{"eval_id": "other", "epoch": 1}', "[", None):
        if other is None:
            (folder / "kate.json").unlink()
        else:
            (folder / "kate.json").write_text(other)
        done = exported(two, tmp_path)
        assert done.exit_code == 1 and "does not hold epoch 1 of this run" in done.output
    assert (folder / "tasks").is_dir()


def test_names_tell_runs_of_one_second_apart_and_suit_the_engine(two: EvalLog) -> None:
    spec = two.eval.model_copy(update={"eval_id": "another", "model": "vllm/Long-memmemoryory"})
    other = two.model_copy(update={"eval": spec})
    names = [experiment_name(log, 1, SPLIT) for log in (two, other)]
    assert two.eval.eval_id[:8].lower() in names[0] and "another" in names[1]
    assert "memory" not in names[1] and names[1].endswith("_mini_test")


def test_only_appworld_s_logs_are_read_whole(two: EvalLog, tmp_path: Path, monkeypatch: Any) -> None:
    folder = Path(two.location).parent
    spec = two.eval.model_copy(update={"metadata": {"benchmark": "bfcl"}})
    write_eval_log(two.model_copy(update={"eval": spec, "status": "error"}), str(folder / "other.eval"))
    whole: list[str] = []

    def read(name: str, header_only: bool = False) -> EvalLog:
        if not header_only:
            whole.append(Path(name).name)
        return read_eval_log(name, header_only=header_only)

    monkeypatch.setattr(module, "read_eval_log", read)
    assert exported(folder, tmp_path / "out").exit_code == 0
    assert whole == [Path(two.location).name]


def test_logs_of_other_benchmarks_are_an_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["appworld", "export", str(tmp_path), "-o", str(tmp_path / "out")])
    assert done.exit_code == 1 and "No AppWorld logs" in done.output
