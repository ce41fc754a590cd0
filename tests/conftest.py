"""What the tests share: small real entries, and models that play a script."""

import json
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from inspect_ai import Task, eval
from inspect_ai.log import EvalLog
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Model,
    ModelOutput,
    ModelUsage,
    get_model,
)
from inspect_ai.solver import Solver
from inspect_ai.tool import ToolCall, ToolChoice, ToolInfo

# A loaded machine must not fail a property by its clock, nor a run by dice: the examples are the
# same each time. `pytest --hypothesis-profile explore` draws new ones.
settings.register_profile("any machine", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("any machine")

T = TypeVar("T")


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits, such as a step of a BFCL episode."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("the coroutine waits")


Reply = str | Sequence[tuple[str, dict[str, Any]]]
"""A text, or tool calls as (name, arguments)."""


def assistant(reply: Reply, number: int = 0) -> ChatMessageAssistant:
    """The assistant message of a reply."""
    if isinstance(reply, str):
        return ChatMessageAssistant(content=reply)
    calls = [
        ToolCall(id=f"c{number}_{position}", function=name, arguments=arguments)
        for position, (name, arguments) in enumerate(reply)
    ]
    return ChatMessageAssistant(content="", tool_calls=calls)


def output(*replies: Reply) -> ModelOutput:
    """A model output with one choice per reply."""
    return ModelOutput(
        model="scripted",
        choices=[ChatCompletionChoice(message=assistant(reply, n)) for n, reply in enumerate(replies)],
        usage=ModelUsage(input_tokens=10, output_tokens=2, total_tokens=12),
    )


class Scripted:
    """A model that answers by a function of the request, and keeps the requests."""

    def __init__(self, answer: Callable[[list[ChatMessage], GenerateConfig], ModelOutput]) -> None:
        self.requests: list[tuple[list[ChatMessage], list[ToolInfo], GenerateConfig]] = []
        self._answer = answer

    def __call__(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Answer one request."""
        self.requests.append((list(input), list(tools), config))
        return self._answer(input, config)

    def model(self) -> Model:
        """The Inspect model that asks this script."""
        return get_model("mockllm/scripted", custom_outputs=self, memoize=False)


def gold_answer(mode: str = "fc") -> Callable[[list[ChatMessage], GenerateConfig], ModelOutput]:
    """Plays each entry's gold, one call a step, recognising the entry by its first user message."""
    from kate_eval.bfcl.data import load_category
    from kate_eval.bfcl.gold import multi_turn_gold

    entries = {e.turns[0][0]["content"]: e for e in load_category("multi_turn_base")}

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        users = [m for m in messages if m.role == "user"]
        entry = next(e for text, e in entries.items() if text in users[0].text)
        turn = sum(1 for t in entry.turns if any(t[0]["content"] in u.text for u in users)) - 1
        last = max(n for n, m in enumerate(messages) if entry.turns[turn][0]["content"] in m.text)
        done = sum(1 for m in messages[last:] if m.role == "assistant")
        calls = multi_turn_gold(entry)[turn]
        reply: Reply = [(calls[done].name, calls[done].arguments)] if done < len(calls) else "Done."
        return output(*[reply] * (config.num_choices or 1))

    return answer


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., EvalLog]:
    """Run one eval quietly and return its log."""

    def run_eval(task: Task, model: Model | str, solver: Solver | None = None, **options: Any) -> EvalLog:
        [log] = eval(
            task, model=model, solver=solver, log_dir=str(tmp_path / "logs"), display="log", **options
        )
        return log

    return run_eval


def tool_json(reply: Reply) -> str:
    """A reply as the JSON that critics are shown and answer with."""
    if isinstance(reply, str):
        return json.dumps({"reply": reply})
    return json.dumps({"calls": [{"name": name, "arguments": arguments} for name, arguments in reply]})
