"""What the tiny checkpoint learns by heart: conversations of a few samples, as the harness really holds them.

The simulated endpoint plays them: `perfect` from gold, `default` with mistakes, so that answers drawn at
temperature 1 differ. What is played here, the served checkpoint can play.
"""

import json
import tempfile
from collections.abc import Iterator
from typing import Any

from inspect_ai import Task, eval
from inspect_ai.event import ModelEvent
from inspect_ai.log import EvalSample
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageTool
from inspect_ai.solver import Solver

from kate_eval.solvers.kate import baseline, kate
from kate_eval.tasks.appworld import appworld
from kate_eval.tasks.bfcl import bfcl

BFCL = tuple(f"multi_turn_base_{number}" for number in (1, 5, 7, 9))
"""Entries of the test half whose turns are short."""
PROFILES = ("perfect", "perfect", "default")


def appworld_tasks(count: int) -> list[str]:
    """The first tasks of the mini world's test split."""
    return [str(sample.id) for sample in appworld(split="mini_test").dataset][:count]


def lessons(tasks: int = 2) -> list[str]:
    """Conversations as JSON lines: {"messages": [...], "tools": [...]}.

    Args:
        tasks: of AppWorld's mini world.
    """
    found = [
        *played(bfcl(categories="multi_turn_base"), [*BFCL], [baseline(), kate()]),
        *played(appworld(split="mini_test"), appworld_tasks(tasks), [baseline()]),
    ]
    return [json.dumps(lesson) for lesson in found]


def played(task: Task, ids: list[str], solvers: list[Solver]) -> Iterator[dict[str, Any]]:
    """The conversations of these samples, with each solver."""
    for solver in solvers:
        for seed, profile in enumerate(PROFILES):
            with tempfile.TemporaryDirectory() as folder:
                [log] = eval(
                    task,
                    model=f"simulated/{profile}",
                    model_args={"seed": seed},
                    solver=solver,
                    sample_id=ids,
                    log_dir=folder,
                    display="log",
                )
                # The log reads its samples when asked for them.
                yield from [conversation(sample) for sample in log.samples or []]


def conversation(sample: EvalSample) -> dict[str, Any]:
    """A sample's messages as the OpenAI API has them, with the tools of its first request."""
    first = next(event for event in sample.events if isinstance(event, ModelEvent))
    tools = [{"type": "function", "function": tool.model_dump(exclude_none=True)} for tool in first.tools]
    return {"messages": [said(message) for message in sample.messages], "tools": tools}


def said(message: ChatMessage) -> dict[str, Any]:
    """A message as the OpenAI API has it, without its reasoning."""
    found: dict[str, Any] = {"role": message.role, "content": message.text}
    if isinstance(message, ChatMessageAssistant) and message.tool_calls:
        found["tool_calls"] = [
            {"type": "function", "function": {"name": call.function, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if isinstance(message, ChatMessageTool) and message.error:
        found["content"] = message.error.message
    return found
