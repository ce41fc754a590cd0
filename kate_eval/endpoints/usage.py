"""Token counts of the simulated endpoint: characters / 4, and a prefix cache if it is to have one."""

from collections.abc import Sequence
from itertools import accumulate

from inspect_ai.model import ChatMessage, ChatMessageAssistant, ContentReasoning, ModelUsage
from inspect_ai.tool import ToolInfo

CHARACTERS_PER_TOKEN = 4
_DOCUMENTED: dict[tuple[str, str], int] = {}


class PrefixCache:
    """The prompts that one sample sent; they serve the beginning of later ones, message by message."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def serve(self, messages: Sequence[ChatMessage], tools: Sequence[ToolInfo]) -> int:
        """The characters of this request that were sent before; from now on all of them were."""
        sizes = accumulate((sum(map(_documented, tools)), *map(_characters, messages)))
        parts = (hash(tuple(tool.name for tool in tools)), *(hash(repr(_said(m))) for m in messages))
        prefixes = list(zip(accumulate(parts, lambda a, b: hash((a, b))), sizes, strict=True))
        served = max((size for prefix, size in prefixes if prefix in self._known), default=0)
        self._known.update(prefix for prefix, _ in prefixes)
        return served


def _said(message: ChatMessage) -> object:
    called = message.tool_calls or () if isinstance(message, ChatMessageAssistant) else ()
    return message.role, message.text, [(call.function, call.arguments) for call in called]


def usage_of(
    messages: Sequence[ChatMessage],
    tools: Sequence[ToolInfo],
    replies: Sequence[ChatMessageAssistant],
    cache: PrefixCache | None = None,
) -> ModelUsage:
    """The usage of one request: the prompt counts once, whatever the number of replies."""
    served = None if cache is None else cache.serve(messages, tools) // CHARACTERS_PER_TOKEN
    prompt = sum(map(_characters, messages)) + sum(_documented(tool) for tool in tools)
    reasoning = sum(map(_reasoning, replies))
    output = sum(map(_characters, replies)) + reasoning
    sent, made = prompt // CHARACTERS_PER_TOKEN, max(1, output // CHARACTERS_PER_TOKEN)
    return ModelUsage(
        input_tokens=sent - (served or 0),
        input_tokens_cache_read=served,
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
    """Writing a schema as JSON costs more than all the rest of a request, so each is measured once."""
    key = (tool.name, tool.description)
    if key not in _DOCUMENTED:
        schema = tool.parameters.model_dump_json(exclude_none=True)
        _DOCUMENTED[key] = len(tool.name) + len(tool.description) + len(schema)
    return _DOCUMENTED[key]
