"""Token counts of the simulated endpoint: characters / 4."""

from collections.abc import Sequence
from functools import lru_cache

from inspect_ai.model import ChatMessage, ChatMessageAssistant, ContentReasoning, ModelUsage
from inspect_ai.tool import ToolInfo

CHARACTERS_PER_TOKEN = 4


def usage_of(
    messages: Sequence[ChatMessage], tools: Sequence[ToolInfo], replies: Sequence[ChatMessageAssistant]
) -> ModelUsage:
    """The usage of one request: the prompt counts once, whatever the number of replies."""
    prompt = sum(map(_characters, messages)) + sum(_documented(tool) for tool in tools)
    reasoning = sum(map(_reasoning, replies))
    output = sum(map(_characters, replies)) + reasoning
    sent, made = prompt // CHARACTERS_PER_TOKEN, max(1, output // CHARACTERS_PER_TOKEN)
    return ModelUsage(
        input_tokens=sent,
        output_tokens=made,
        total_tokens=sent + made,
        reasoning_tokens=reasoning // CHARACTERS_PER_TOKEN,
    )


def _characters(message: ChatMessage) -> int:
    called = message.tool_calls or () if isinstance(message, ChatMessageAssistant) else ()
    return len(message.text) + sum(len(call.function) + len(repr(call.arguments)) for call in called)


def _reasoning(message: ChatMessageAssistant) -> int:
    if isinstance(message.content, str):
        return 0
    return sum(len(part.reasoning) for part in message.content if isinstance(part, ContentReasoning))


def _documented(tool: ToolInfo) -> int:
    return len(tool.name) + len(tool.description) + _schema(tool.name, tool.description, _Boxed(tool))


class _Boxed:
    """A tool that is equal to any other, so that a cache is keyed by what stands beside it."""

    def __init__(self, tool: ToolInfo) -> None:
        self.tool = tool

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Boxed)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=16384)
def _schema(name: str, description: str, boxed: _Boxed) -> int:
    """Writing a schema as JSON costs more than all the rest of a request, so each is measured once."""
    return len(boxed.tool.parameters.model_dump_json(exclude_none=True))
