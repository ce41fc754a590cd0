"""Evaluation and demonstrations, with the ground truth: never in a process that runs a model's code."""

import ast
import shutil
from collections.abc import Set
from pathlib import Path
from typing import Any

from appworld import AppWorld, evaluate_task
from appworld.ground_truth import GroundTruth

from kate_engine.world import EXPERIMENT, scratch_root


def evaluate(folder: Path, data: Path, task: str, files: dict[str, str]) -> dict[str, Any]:
    """The engine's own evaluation of a task's saved outputs.

    Args:
        folder: scratch folder.
        data: the full data, with ground truth.
        task: the task's id.
        files: path below the task's output folder -> content.

    Returns:
        The engine's report: success, difficulty, passes and failures with their requirements.
    """
    root = scratch_root(folder, data)
    outputs = root / "experiments" / "outputs" / EXPERIMENT / "tasks" / task
    for name, content in files.items():
        file = (outputs / name).resolve()
        if not file.is_relative_to(outputs.resolve()):
            raise ValueError(f"the output file {name!r} lies outside its task's folder")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    report: dict[str, Any] = evaluate_task(
        task_id=task, experiment_name=EXPERIMENT, save_report=False
    ).to_dict()
    return report


def demonstrate(folder: Path, data: Path, task: str) -> dict[str, Any]:
    """Run a task's ground-truth solution piece by piece.

    Returns:
        "steps" (each "code" and "output"), "apps" (required), "success" (the engine's verdict).
    """
    scratch_root(folder, data)
    truth = GroundTruth.load(task, mode="full")
    world = AppWorld(task_id=task, experiment_name=EXPERIMENT, ground_truth_mode="full")
    steps = []
    for code in pieces(truth.compiled_solution_code):
        output = world.execute(code)
        steps.append({"code": code, "output": output})
        if output.startswith("Execution failed"):
            break
    shutil.rmtree(world.output_checkpoints_directory, ignore_errors=True)
    return {"steps": steps, "apps": sorted(truth.required_apps), "success": world.evaluate().success}


def pieces(solution: str) -> list[str]:
    """A solution's top-level statements as code blocks that print what they find.

    Imports, functions and assignments of plain values go into one block with the statement that follows.
    """
    blocks: list[str] = []
    waiting: list[str] = []
    body = _body(solution)
    callers = {"apis", "requester"} | {s.name for s in body if isinstance(s, ast.FunctionDef)}
    for statement in body:
        waiting.append(ast.unparse(statement))
        if isinstance(statement, ast.FunctionDef) or not _calls(statement, callers):
            continue
        blocks.append("\n".join([*waiting, *_shown(statement)]))
        waiting = []
    return [*blocks, "\n".join(waiting)] if waiting else blocks


def _body(solution: str) -> list[ast.stmt]:
    module = ast.parse(solution)
    before: list[ast.stmt] = []
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "solution":
            return [*before, *(s for s in statement.body if not isinstance(s, ast.Return | ast.Pass))]
        before.append(statement)
    return before


def _calls(statement: ast.stmt, names: Set[str]) -> bool:
    """Whether it calls one of these names, or something of theirs."""
    for node in ast.walk(statement):
        called = node.func if isinstance(node, ast.Call) else None
        while isinstance(called, ast.Attribute):
            called = called.value
        if isinstance(called, ast.Name) and called.id in names:
            return True
    return False


def _shown(statement: ast.stmt) -> list[str]:
    """Prints of what the statement assigned."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return [f"print({statement.targets[0].id})"]
    return []
