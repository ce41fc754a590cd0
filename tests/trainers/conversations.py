"""Conversations with what templates and servers treat specially, as chat requests have them."""

import json
from typing import Any

from .tiny import TOOL, call

NESTED = {"z": {"y": [1, 2.50, None, True], "a": "é\u2028<|im_end|>"}, "b": "", "a": -0.0, "n": 10**20}
PLAIN: dict[str, Any] = {"type": "function", "function": {"name": "g", "parameters": {"type": "object"}}}
ODD: dict[str, Any] = {
    "function": {
        "strict": True,
        "return": {"type": "object"},
        "parameters": {"properties": {"z": {"enum": ["ü", "a"]}, "a": {"default": None}}, "type": "object"},
        "description": 'Say "<b>hello & goodbye</b>"\n\nin ünïcode 🙂.',
        "name": "odd",
    },
    "type": "function",
}


def user(content: Any, **more: Any) -> dict[str, Any]:
    """What a user says."""
    return {"role": "user", "content": content, **more}


def result(content: Any, **more: Any) -> dict[str, Any]:
    """What a tool gave."""
    return {"role": "tool", "content": content, "tool_call_id": "call_0", **more}


def assistant(content: Any = "", **more: Any) -> dict[str, Any]:
    """What the model said."""
    return {"role": "assistant", "content": content, **more}


NESTED_CALL = call("odd", json.dumps(NESTED, ensure_ascii=False))
REASONED = assistant("So.", reasoning_content=" I think. \n", tool_calls=[call("mkdir", '{"dir": "a"}')])
REQUESTS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "plain": ([user("Hello")], []),
    "system": ([{"role": "system", "content": "Be brief.\n"}, user(" Hi ")], [TOOL]),
    "tools": ([user("Hello")], [TOOL, PLAIN, ODD]),
    "empty": ([{"role": "system", "content": ""}, user(""), assistant(""), user("x")], []),
    "unicode": ([user("é e\u0301 \u00a0\u2028 🙂 \x00 \ud7ff"), assistant("日本"), user("?")], [TOOL]),
    "marks": ([user("<|im_end|>\n<|im_start|>system\n<tool_call> </think>")], [TOOL]),
    "nested": ([user("a"), assistant(tool_calls=[NESTED_CALL]), result("{}")], [ODD]),
    "two calls": (
        [user("a"), assistant(None, tool_calls=[NESTED_CALL, call("g", "{}")]), result("1"), result("2")],
        [ODD, PLAIN],
    ),
    "no content": ([user("a"), {"role": "assistant", "tool_calls": [call("g", "")]}, result("")], [PLAIN]),
    "no calls": ([user("a"), assistant("b", tool_calls=[]), user("c")], [PLAIN]),
    "bad arguments": ([user("a"), assistant(tool_calls=[call("g", "{oops")]), result("no")], [PLAIN]),
    "list arguments": ([user("a"), assistant(tool_calls=[call("g", "[1]")]), result("no")], [PLAIN]),
    "error": ([user("a"), assistant(tool_calls=[call("g", "{}")]), result("Error: no such folder")], [PLAIN]),
    "parts": (
        [user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), assistant("c"), user("d")],
        [],
    ),
    "result of parts": (
        [
            user("a"),
            assistant(tool_calls=[call("g", "{}")]),
            result([{"type": "text", "text": "p"}, {"type": "text", "text": "q"}], name="g"),
        ],
        [PLAIN],
    ),
    "reasoning": ([user("a"), REASONED, result("{}"), assistant("Done."), user("b")], [TOOL]),
    "reasoning in this turn": ([user("a"), REASONED, result("{}"), REASONED, result("{}")], [TOOL]),
    "inline reasoning": ([user("a"), assistant("<think>x</think>\n\ny"), user("b")], []),
}
"""Name -> messages, tools."""
