"""Plays every task in the engine: rightly, rightly in single steps, then with harm done, and idly."""

import ast
import json
from collections.abc import Generator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from appworld import AppWorld

from kate_engine.mini.forks import in_children
from kate_engine.mini.scenario import Scenario, Variant
from kate_engine.mini.task_files import write_json

PLAYS = ("solution", "steps", "idle")


class VerificationError(RuntimeError):
    """A task's solution, evaluation or data is wrong."""


def task_id(scenario: Scenario, number: int) -> str:
    """The id of one variant's task, counted from 1."""
    return f"{scenario.id}_{number}"


def verify(
    data: Path, scenarios: tuple[Scenario, ...], scratch: Path, at_once: int
) -> Generator[str, None, None]:
    """Verify all tasks, complete their files with what the runs showed, and yield each verified task's id.

    Raises:
        VerificationError: A play did not end as it must; the message names the task and the failed tests.
    """
    tasks = [
        (task_id(scenario, number), scenario, variant)
        for scenario in scenarios
        for number, variant in enumerate(scenario.variants, start=1)
    ]
    jobs = [partial(_play, *task, how, data) for task in tasks for how in PLAYS]
    with closing(in_children(jobs, scratch, at_once)) as results:
        for id_, scenario, _ in tasks:
            plays = {how: play for _ in PLAYS for how, play in next(results).items()}
            _check(f"{scenario.name} ({id_})", plays)
            _complete(data / "tasks" / id_ / "ground_truth", plays)
            yield id_


def _play(id_: str, scenario: Scenario, variant: Variant, how: str, data: Path) -> dict[str, dict[str, Any]]:
    """Play one task one way, in a process that ends afterwards; the steps are followed by the harm."""
    world = AppWorld(task_id=id_, experiment_name=f"mini-{how}-{id_}", raise_on_failure=True)
    code = (data / "tasks" / id_ / "ground_truth" / "compiled_solution.py").read_text(encoding="utf-8")
    if how == "solution":
        return {how: {**_run(world, [code + "\nsolution(apis, requester)"]), "calls": _calls(world)}}
    if how == "steps":
        return {how: _run(world, _steps(code)), "harm": _run(world, [scenario.collateral_for(variant)])}
    wrong = "answer='a wrong answer'" if "answer=" in scenario.solution else ""
    return {how: _run(world, [f"apis.supervisor.complete_task({wrong})"])}


def _run(world: Any, steps: list[str]) -> dict[str, Any]:
    """Execute pieces of code one after another, then evaluate."""
    outputs = [world.execute(step) for step in steps]
    tests = world.evaluate().to_dict()
    return {
        "errors": [text for text in outputs if text.startswith("Execution failed")],
        "completed": world.task_completed(),
        "success": tests["success"],
        "passes": [test["requirement"] for test in tests["passes"]],
        "failures": [[test["requirement"], test["trace"]] for test in tests["failures"]],
    }


def _steps(code: str) -> list[str]:
    """The statements of the code's one function, each as text of its own."""
    function = next(node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef))
    return [ast.unparse(node) for node in function.body]


def _calls(world: Any) -> list[dict[str, Any]]:
    """The API calls of a run, without the access tokens in them."""
    log = Path(world.output_logs_directory) / "api_calls.jsonl"
    calls = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    for call in calls:
        for name in call.get("data") or {}:
            if name.endswith("access_token"):
                call["data"][name] = "<access_token>"
    return calls


def _check(label: str, plays: dict[str, dict[str, Any]]) -> None:
    for how, play in plays.items():
        if play["errors"]:
            raise VerificationError(f"{label}: the play '{how}' raised: {play['errors'][0]}")
        wanted = how in ("solution", "steps")
        if play["success"] != wanted or not play["completed"]:
            found = "succeeded" if play["success"] else f"failed: {json.dumps(play['failures'], indent=1)}"
            raise VerificationError(f"{label}: the play '{how}' {found}")


def _complete(truths: Path, plays: dict[str, dict[str, Any]]) -> None:
    """Write what only a run can tell: the API calls, and which tests pass without any work."""
    calls = plays["solution"]["calls"]
    write_json(truths / "api_calls.json", calls)
    metadata = json.loads((truths / "metadata.json").read_text(encoding="utf-8"))
    write_json(truths / "metadata.json", {**metadata, "num_api_calls": len(calls)})
    tests = json.loads((truths / "test_data.json").read_text(encoding="utf-8"))
    for test in tests:
        idle = test["requirement"] in plays["idle"]["passes"]
        test["label"] = "no_op_pass" if idle else "no_op_fail"
    write_json(truths / "test_data.json", tests)
