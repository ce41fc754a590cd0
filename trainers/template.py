"""What a chat template is given, as vLLM's server prepares it from a chat request (vLLM 0.32, 0.33).

The server parses calls' arguments, joins or wraps the parts of a content, names reasoning twice, and dumps
tools by its own schema; keys come in the order of its types. A template may print any of it.
Departures: other content than text, and roles of single models (developer), are refused.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from kate_eval.errors import TrainingError

Json = dict[str, Any]
Form = Literal["string", "parts"]
"""What a template wants a content to be: text, or a list of parts (loops.py)."""
ROLES = ("system", "user", "assistant", "tool")


def prepared_messages(messages: Sequence[Mapping[str, Any]], form: Form) -> list[Json]:
    """The messages of a chat request as a template sees them.

    Raises:
        TrainingError: one holds what no row may hold.
    """
    return [_message(message, form) for message in messages]


def prepared_tools(tools: Sequence[Mapping[str, Any]]) -> list[Json]:
    """The tools of a chat request as a template sees them."""
    return [{"type": "function", "function": _function(tool["function"])} for tool in tools]


def _function(function: Mapping[str, Any]) -> Json:
    known = {key: function.get(key) for key in ("name", "description", "parameters")}
    return known if function.get("strict") is None else {**known, "strict": function["strict"]}


def _message(message: Mapping[str, Any], form: Form) -> Json:
    role = message.get("role")
    if role not in ROLES:
        raise TrainingError(f"A message of role {role!r} can't be rendered; roles: {', '.join(ROLES)}")
    texts = _texts(message)
    parts = form == "parts" and role != "tool"
    content = [{"type": "text", "text": text} for text in texts] if parts else "\n".join(texts)
    made: Json = {"role": role, "content": content}
    if role == "assistant":
        if message.get("tool_calls"):
            made["tool_calls"] = [_call(call) for call in message["tool_calls"]]
        reasoning = message.get("reasoning")
        reasoning = message.get("reasoning_content") if reasoning is None else reasoning
        if reasoning is not None:
            made["reasoning"] = made["reasoning_content"] = reasoning
    if role == "tool" and "tool_call_id" in message:
        made["tool_call_id"] = message["tool_call_id"]
    if isinstance(message.get("name"), str):
        made["name"] = message["name"]
    return made


def _texts(message: Mapping[str, Any]) -> list[str]:
    content = message.get("content")
    if content is None:
        return []
    if isinstance(content, str):
        return [content]
    if not all(isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in content):
        raise TrainingError(
            f"A {message['role']} message holds other content than text: it can't be rendered"
        )
    return [part["text"] for part in content]


def _call(call: Mapping[str, Any]) -> Json:
    """A call with its arguments as an object; what is none becomes an empty one, as on the server."""
    function = call["function"]
    arguments = function.get("arguments")
    if isinstance(arguments, str) and arguments:
        try:
            arguments = json.loads(arguments)
        except ValueError:
            arguments = {}
    made = {"arguments": arguments if isinstance(arguments, dict) else {}, "name": function["name"]}
    named = {"id": call["id"]} if "id" in call else {}
    return {**named, "function": made, "type": call.get("type", "function")}
