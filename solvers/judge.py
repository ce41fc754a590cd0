"""A judge: a model that says whether a finished sample succeeded, where no checker may be asked."""

import json
from collections.abc import Callable, Sequence

from inspect_ai.model import ChatMessage, ChatMessageUser, GenerateConfig, Model, ModelOutput
from pydantic import BaseModel, ConfigDict, StrictBool, ValidationError

from kate_eval.solvers.candidate import as_json
from kate_eval.solvers.parameters import prompt

TRIES = 3
MAX_SHOWN = 100_000
"""Characters of a conversation that a judge is shown; its middle is left out."""


class Verdict(BaseModel):
    """A judge's answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    success: StrictBool
    reason: str = ""


async def judge(
    messages: Sequence[ChatMessage], model: Model, count: Callable[[ModelOutput], None]
) -> Verdict | None:
    """A model's verdict on a conversation; None if no try gave a usable one.

    Args:
        messages: the conversation.
        model: the judge.
        count: told of each answer.
    """
    request = prompt("judge").substitute(conversation=_shown(messages))
    for attempt in range(TRIES):
        # The seed keeps a cache, and a server's own determinism, from giving the same unusable answer.
        config = GenerateConfig(temperature=0.0, seed=attempt or None)
        output = await model.generate([ChatMessageUser(content=request)], config=config)
        count(output)
        verdict = read_verdict(output.completion) if output.choices else None
        if verdict is not None:
            return verdict
    return None


def read_verdict(text: str) -> Verdict | None:
    """The last JSON object of an answer that is a verdict."""
    start = text.rfind("{")
    while start >= 0:
        try:
            return Verdict.model_validate(json.JSONDecoder().raw_decode(text, start)[0])
        except (ValidationError, ValueError, RecursionError):
            start = text.rfind("{", 0, start)
    return None


def _shown(messages: Sequence[ChatMessage]) -> str:
    lines = []
    for message in messages:
        calls = getattr(message, "tool_calls", None) or []
        called = [{"name": call.function, "arguments": call.arguments} for call in calls]
        # As JSON, so that nothing said in it can pass for another message or for the request.
        lines.append(
            as_json({"role": message.role, "text": message.text} | ({"calls": called} if called else {}))
        )
    text = "\n".join(lines)
    if len(text) > MAX_SHOWN:
        half = MAX_SHOWN // 2
        text = f"{text[:half]}\n[... left out ...]\n{text[-half:]}"
    return text
