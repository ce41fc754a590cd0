"""From a model's message whose calls the server did not read to the message with these calls."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2s

from inspect_ai.model import ChatMessageAssistant, Content, ContentReasoning, ContentText
from inspect_ai.tool import ToolCall, ToolInfo

from kate_eval.episode import Call
from kate_eval.recovery.offered import Offered, read_value
from kate_eval.recovery.reader import Budget, Unreadable
from kate_eval.recovery.text import MAX_TEXT, find_calls

WRITTEN = "kate:written"
"""Key in a message's metadata: what the model wrote in the place of the calls."""

_PARSE_ERROR = re.compile(
    r"Error parsing the following tool call arguments:\n\n(.*)\n\nError details: ", re.DOTALL
)
"""Inspect's message about arguments it can't read, the only place that still has them."""


@dataclass(frozen=True)
class Recovered:
    """A message whose calls were read from what the model wrote.

    Attributes:
        message: with calls, reasoning and text apart, and the raw text in its metadata.
        mark: what the calls were found by: a mark in the text, "no mark", or "arguments".
    """

    message: ChatMessageAssistant
    mark: str


def recover(
    message: ChatMessageAssistant, tools: Sequence[ToolInfo], rename: Callable[[str], str], place: int
) -> Recovered | None:
    """Read the calls that a server's parser left in the text, or whose arguments it left unread.

    Args:
        message: the model's own.
        tools: offered to the model; only these can be called.
        rename: from a documented name to the offered one.
        place: of the message in the conversation, which makes the calls' ids differ from other steps'.

    Returns:
        None where there is nothing to recover, or not all of it can be read.
    """
    offered = Offered(tools, rename)
    if message.tool_calls:
        return _with_arguments(message, message.tool_calls, offered)
    found = find_calls(message.text, offered)
    if found is None:
        return None
    thoughts = [ContentReasoning(reasoning=thought) for thought in found.thoughts]
    tool_calls = _tool_calls(found.calls, f"{place}|{message.text}")
    return Recovered(
        message.model_copy(
            update={
                "content": _content(message, thoughts, found.text),
                "tool_calls": tool_calls,
                "metadata": {**(message.metadata or {}), WRITTEN: message.text},
            }
        ),
        found.mark or "no mark",
    )


def _content(
    message: ChatMessageAssistant, thoughts: list[ContentReasoning], text: str
) -> str | list[Content]:
    """The message's content with other text, and thinking as reasoning."""
    content = [] if isinstance(message.content, str) else message.content
    kept: list[Content] = [part for part in content if not isinstance(part, ContentText)]
    if not kept and not thoughts:
        return text
    return [*kept, *thoughts, ContentText(text=text)]


def _tool_calls(calls: Sequence[Call], seed: str) -> list[ToolCall]:
    """Calls with ids of nine letters and digits, which is what every server takes.

    They depend on the text alone, so that a cached conversation is found again.
    """
    return [
        ToolCall(
            id=blake2s(f"{number}|{seed}".encode(errors="surrogatepass")).hexdigest()[:9],
            function=call.name,
            arguments=call.arguments,
        )
        for number, call in enumerate(calls)
    ]


def _with_arguments(
    message: ChatMessageAssistant, calls: Sequence[ToolCall], offered: Offered
) -> Recovered | None:
    """Calls of which Inspect could not read some arguments, if all of these can be read here."""
    errors = [call.parse_error or "" for call in calls]
    if not any(errors) or sum(map(len, errors)) > MAX_TEXT:
        return None
    budget = Budget()
    try:
        read = [_reread(call, offered, budget) if call.parse_error else call for call in calls]
    except Unreadable:
        return None
    metadata = {**(message.metadata or {}), WRITTEN: "\n\n".join(filter(None, errors))}
    return Recovered(message.model_copy(update={"tool_calls": read, "metadata": metadata}), "arguments")


def _reread(call: ToolCall, offered: Offered, budget: Budget) -> ToolCall:
    found = _PARSE_ERROR.match(call.parse_error or "")
    if found is None:
        raise Unreadable("the arguments are gone")
    read = offered.call(call.function, read_value(found[1], budget), budget)
    return ToolCall(id=call.id, function=read.name, arguments=read.arguments, type=call.type)
