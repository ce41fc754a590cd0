"""AppWorld trajectories in a model's own words, kept where the engine says that they still solve the task.

A model is shown a task and its solution with outputs, and writes it anew as small steps with comments. The
steps are played in a contained session like any agent's, and evaluated; those that fail are not used.
"""

from collections.abc import Callable
from typing import Any

from inspect_ai.model import ChatMessageUser, GenerateConfig, Model, get_model

from kate_eval.appworld import data, decode, places
from kate_eval.appworld.record import load_demonstration
from kate_eval.appworld.sessions import FINISH_SECONDS, GRACE_SECONDS, Limits, evaluate, open_session
from kate_eval.knowledge.acquire.form import prompt

MAX_STEPS = 40


async def rewrite_split(split: str, model: str | Model, say: Callable[[str], None]) -> dict[str, Any]:
    """Let a model rewrite the trajectories of a split.

    Returns:
        Task -> its steps (code, output), for the tasks whose rewritten steps the engine accepts.

    Raises:
        DatasetError: nothing is recorded of the split.
        EngineError: the engine failed.
    """
    world = places.world_of(split)
    writer = get_model(model) if isinstance(model, str) else model
    kept: dict[str, Any] = {}
    tasks = data.load(split)
    for task in tasks:
        steps = await rewrite_task(world, task, writer)
        if steps is not None:
            kept[task.id] = steps
    say(f"Rewritten trajectories that still solve their task: {len(kept)} of {len(tasks)}; the rest is kept.")
    return kept


async def rewrite_task(world: str, task: data.AppTask, writer: Model) -> list[dict[str, str]] | None:
    """One task's rewritten steps; None where its own solution fails, or the rewritten one."""
    shown = load_demonstration(world, task.id)
    if not shown["success"]:
        return None
    steps = "\n".join(f"```python\n{s['code']}\n```\nOutput:\n{s['output'][:2000]}" for s in shown["steps"])
    request = prompt("rewrite").substitute(question=task.instruction, steps=steps)
    config = GenerateConfig(temperature=0.0, max_tokens=6000)
    output = await writer.generate([ChatMessageUser(content=request)], config=config)
    blocks = decode.all_blocks(output.completion)[:MAX_STEPS]
    return await _played(world, task.id, blocks) if blocks else None


async def _played(world: str, task_id: str, blocks: list[str]) -> list[dict[str, str]] | None:
    limits = Limits()
    session = await open_session(world, task_id, limits)
    try:
        steps = []
        for code in blocks:
            reply = await session.ask(limits.step_seconds + GRACE_SECONDS, code=code)
            steps.append({"code": code, "output": str(reply["output"])})
            if reply["completed"] or reply["over"]:
                break
        files = (await session.ask(FINISH_SECONDS, finish=True))["files"]
    finally:
        await session.close()
    return steps if (await evaluate(world, task_id, files))["success"] else None
