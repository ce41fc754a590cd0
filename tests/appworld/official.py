"""The unmodified engine, for comparison: run by the engine's own Python, one JSON request a line.

Requests: {"play": {"root", "task", "steps", "seconds", "calls"}} runs code blocks in the engine's own
AppWorld and evaluates it; {"metrics": [{task id: success}]} aggregates verdicts with the engine's Metric.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any


def play(request: dict[str, Any]) -> dict[str, Any]:
    from appworld import AppWorld, update_root

    update_root(request["root"])
    world = AppWorld(
        request["task"],
        experiment_name="official",
        timeout_seconds=request["seconds"],
        max_api_calls_per_interaction=request["calls"],
    )
    outputs = [_execute(world, code) for code in request["steps"]]
    folder = Path(world.output_directory)
    files = {path.name: path.read_text(encoding="utf-8") for path in (folder / "dbs").glob("*")}
    files["api_calls.jsonl"] = (folder / "logs" / "api_calls.jsonl").read_text(encoding="utf-8")
    return {"outputs": outputs, "files": files, "report": world.evaluate().to_dict()}


def _execute(world: Any, code: str) -> str:
    try:
        return str(world.execute(code))
    except BaseException as ex:  # some code ends the engine itself
        world.safety_guard.disable()
        return f"AppWorld.execute raised {type(ex).__name__}: {ex}"


def metrics(cases: list[dict[str, float]]) -> list[list[float]]:
    from appworld.evaluator import Metric

    found = []
    for case in cases:
        verdicts = {task: {"success": value, "passes": [], "failures": []} for task, value in case.items()}
        aggregate = Metric._compute_metrics(verdicts)["aggregate"]
        found.append([aggregate["task_goal_completion"], aggregate["scenario_goal_completion"]])
    return found


def main() -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        reply = play(request["play"]) if "play" in request else metrics(request["metrics"])
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
