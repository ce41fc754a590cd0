"""A bare Inspect loop over the workload: what Inspect itself costs for these messages.

The same messages and tools through the same provider as kate-eval's, but nothing per step: tool
results are read from the workload file (KATE_BENCH_WORKLOAD), and nothing is scored.
"""

import json
import os
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageTool, ChatMessageUser, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolInfo


@solver
def bare(workload: dict[str, Any]) -> Solver:
    """Play the gold conversation of each sample."""
    tools = {name: ToolInfo.model_validate(tool) for name, tool in workload["tools"].items()}
    entries = {entry["id"]: entry for entry in workload["entries"]}

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        entry = entries[str(state.sample_id)]
        model, offered = get_model(), [tools[name] for name in entry["tools"]]
        for index, turn in enumerate(entry["turns"]):
            if index:
                state.messages.append(ChatMessageUser(content=turn["user"]))
            results = iter(turn["steps"])
            while True:
                state.output = await model.generate(state.messages, tools=offered)
                state.messages.append(state.output.message)
                calls = state.output.message.tool_calls
                if not calls:
                    break
                state.messages += [
                    ChatMessageTool(
                        content=next(results)["result"], tool_call_id=call.id, function=call.function
                    )
                    for call in calls
                ]
        return state

    return solve


@task
def bare_loop() -> Task:
    """The workload, unscored."""
    workload = json.loads(Path(os.environ["KATE_BENCH_WORKLOAD"]).read_text(encoding="utf-8"))
    samples = [Sample(id=entry["id"], input=entry["turns"][0]["user"]) for entry in workload["entries"]]
    return Task(dataset=MemoryDataset(samples), solver=bare(workload))
