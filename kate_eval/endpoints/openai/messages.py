"""Inspect's messages as the JSON objects of the chat completions API.

Reasoning goes back in the field that it came in; what the API has no place for is an error.
"""

import json
from collections.abc import Sequence
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    Content,
    ContentAudio,
    ContentImage,
    ContentReasoning,
    ContentText,
    ContentVideo,
)
from inspect_ai.tool import ToolCall

from kate_eval.errors import EndpointError

Json = dict[str, Any]
REASONING_FIELDS = ("reasoning_content", "reasoning")
"""What servers call it; the second is vLLM's since 0.11."""
THINK = "think"
"""Marks reasoning that stood in the text, between <think> tags."""
REMOVED = "data removed"
"""Stands in a log for an image's data."""


def encode_messages(messages: Sequence[ChatMessage]) -> list[Json]:
    """A conversation.

    Raises:
        EndpointError: it holds content that the API can't carry.
    """
    return [_message(message) for message in messages]


def _message(message: ChatMessage) -> Json:
    if message.role == "assistant":
        return _assistant(message)
    if message.role == "tool":
        error = message.error
        content = f"Error: {error.message}" if error else _only_text(message.content, "a tool's result")
        return {"role": "tool", "content": content, "tool_call_id": str(message.tool_call_id)}
    if message.role == "user" and not isinstance(message.content, str):
        return {"role": "user", "content": [_part(content) for content in message.content]}
    return {"role": message.role, "content": _only_text(message.content, f"a {message.role} message")}


def _assistant(message: ChatMessageAssistant) -> Json:
    encoded: Json = {"role": "assistant"}
    if isinstance(message.content, str):
        encoded["content"] = message.content
    else:
        texts: list[str] = []
        for content in message.content:
            if isinstance(content, ContentReasoning):
                if content.internal == THINK:
                    texts.append(f"<think>{content.reasoning}</think>")
                    continue
                field = content.internal if content.internal in REASONING_FIELDS else REASONING_FIELDS[0]
                encoded[str(field)] = encoded.get(str(field), "") + content.reasoning
            elif isinstance(content, ContentText):
                texts.append(content.text)
            else:
                raise _not_sent(content, "an assistant message")
        encoded["content"] = "".join(texts)
    if message.tool_calls:
        encoded["tool_calls"] = [_call(call) for call in message.tool_calls]
    return encoded


def _call(call: ToolCall) -> Json:
    function = {"name": call.function, "arguments": json.dumps(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _only_text(content: str | list[Content], where: str) -> str:
    if isinstance(content, str):
        return content
    texts = []
    for part in content:
        if not isinstance(part, ContentText):
            raise _not_sent(part, where)
        texts.append(part.text)
    return "\n".join(texts)


def _part(content: Content) -> Json:
    """A part of a user message. Inspect has put media inline, as data: addresses, before."""
    if isinstance(content, ContentText):
        return {"type": "text", "text": content.text}
    if isinstance(content, ContentImage):
        return {"type": "image_url", "image_url": {"url": content.image, "detail": content.detail}}
    if isinstance(content, ContentVideo):
        return {"type": "video_url", "video_url": {"url": content.video}}
    if isinstance(content, ContentAudio):
        data = content.audio.partition("base64,")[2] or content.audio
        return {"type": "input_audio", "input_audio": {"data": data, "format": content.format}}
    raise _not_sent(content, "a user message")


def _not_sent(content: Content, where: str) -> EndpointError:
    return EndpointError(
        f"kate/ can't send content of type {content.type!r} in {where}. Chat completions carry text, and in "
        "user messages images, audio and video."
    )


def without_media(messages: Sequence[Json]) -> list[Json]:
    """The messages for a log: inline media replaced by a note."""
    return [
        {**message, "content": [_shown(part) for part in message["content"]]}
        if isinstance(message["content"], list)
        else message
        for message in messages
    ]


def _shown(part: Json) -> Json:
    kind = part["type"]
    if kind == "text":
        return part
    return {"type": kind, kind: dict.fromkeys(part[kind], REMOVED)}
