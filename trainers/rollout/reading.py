"""From the text of an answer to the message a server would make of it, so that training and serving agree.

"recovery": calls are read as our solvers read what a server left in the text (`recover=true`, their default).
"hermes": only what vLLM's parser of that name reads; for a checkpoint that others will serve.
"""

import json
import re
from collections.abc import Callable, Sequence
from hashlib import blake2s
from typing import Any, Literal

from inspect_ai.model import ChatMessageAssistant, Content, ContentReasoning, ContentText
from inspect_ai.tool import ToolCall, ToolInfo

from kate_eval.recovery import recover

Parser = Literal["recovery", "hermes"]
Rename = Callable[[str], str]
_THOUGHT = re.compile(r"\s*(?:<think>)?(.*?)(?:</think>(.*)|\Z)", re.DOTALL)
_MARK = re.compile(r"</?tool_call>|<\|?/?(?:tool_call|python_tag)|<function[=_]|\[TOOL_CALLS\]|<｜tool▁call")
_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)


def read_answer(
    text: str, tools: Sequence[ToolInfo], rename: Rename, place: int, parser: Parser
) -> ChatMessageAssistant:
    """The message in a text. Never raises for what a model wrote.

    Args:
        text: the answer, thinking included.
        tools: offered; none where calls are written as text.
        rename: from a documented name to the offered one.
        place: of the answer in the conversation, for the ids of its calls.
        parser: of the calls.
    """
    message = _without_thinking(text)
    if not tools:
        return message
    if parser == "hermes":
        return _hermes(message, place)
    found = recover(message, tools, rename, place)
    return found.message if found else message


def _without_thinking(text: str) -> ChatMessageAssistant:
    """Thinking apart, as a server's reasoning parser has it; its opening tag may stand in the prompt."""
    if "</think>" not in text and not text.lstrip().startswith("<think>"):
        return ChatMessageAssistant(content=text)
    found = _THOUGHT.match(text)
    assert found is not None  # it matches any text
    content: list[Content] = [ContentReasoning(reasoning=found[1], internal="reasoning_content")]
    return ChatMessageAssistant(content=[*content, ContentText(text=found[2] or "")])


def _hermes(message: ChatMessageAssistant, place: int) -> ChatMessageAssistant:
    """As in vLLM's hermes parser: one call that is no JSON voids them all; the text after them is dropped."""
    text = message.text
    blocks = [block for block in _CALL.findall(text) if block.strip()]
    try:
        calls = [(str(call["name"]), call["arguments"]) for call in map(json.loads, blocks)]
    except (ValueError, KeyError, TypeError, RecursionError):
        return message
    if not calls:
        return message
    before = text[: text.find("<tool_call>")]
    kept: list[Content] = [] if isinstance(message.content, str) else [message.content[0]]
    tool_calls = [
        _tool_call(f"{number}|{place}|{text}", name, arguments)
        for number, (name, arguments) in enumerate(calls)
    ]
    return ChatMessageAssistant(content=[*kept, ContentText(text=before)], tool_calls=tool_calls)


def _tool_call(seed: str, name: str, arguments: Any) -> ToolCall:
    made = blake2s(seed.encode(errors="surrogatepass")).hexdigest()[:9]
    if isinstance(arguments, dict):
        return ToolCall(id=made, function=name, arguments=arguments)
    return ToolCall(id=made, function=name, arguments={}, parse_error="the arguments are no JSON object")


def sets_out_to_call(text: str) -> bool:
    """Whether an answer without calls was to have some: marks of calls stand in it."""
    return _MARK.search(text) is not None
