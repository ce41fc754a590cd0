"""Exported outputs: the engine's own evaluation gives the numbers that the task reported, to the digit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
from click.testing import CliRunner
from inspect_ai.log import EvalLog, write_eval_log
from inspect_ai.model import ModelOutput

from kate_eval.appworld import data, provision
from kate_eval.appworld.export import Exported, export_logs
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


def test_the_engine_s_own_command_gives_the_same_numbers(run: Any, tmp_path: Path) -> None:
    model = plays(quit_early=lambda i: i.endswith("_2") and i < "9", crash=lambda i: False).model()
    log: EvalLog = run(appworld(split=SPLIT), model, baseline())
    values = {name: metric.value for name, metric in log.results.scores[0].metrics.items()}  # type: ignore[union-attr]
    assert 0 < values["tgc"] < 100
    [made] = anyio.run(export_logs, [Path(log.location)], tmp_path / "experiments")
    report = evaluated(tmp_path / "experiments", made)
    assert made.missing == () and made.folder.name.endswith(f"_{SPLIT}")
    assert report["aggregate"] == {
        "task_goal_completion": values["tgc"],
        "scenario_goal_completion": values["sgc"],
    }
    assert {i: r["success"] for i, r in report["individual"].items()} == {
        str(s.id): s.scores["appworld_verdict"].value == "C"  # type: ignore[index]
        for s in log.samples or []
    }


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
    report = evaluated(tmp_path / "experiments", Exported(folder, SPLIT, 12, (first,)))
    assert report["individual"][first]["success"] is False


def test_logs_of_other_benchmarks_are_an_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["appworld", "export", str(tmp_path), "-o", str(tmp_path / "out")])
    assert done.exit_code == 1 and "No AppWorld logs" in done.output
