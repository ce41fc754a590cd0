"""Checks of tool calls: what the server accepts and parses, told apart from what the model writes.

With tool_choice required, or naming a tool, servers constrain the output to a call: that even a weak model
then gives calls says that the server can, and one that gives none on its own is the model's doing.
"""

import json
import re
from typing import Any

from kate_eval.endpoints.probe.choices import shown
from kate_eval.endpoints.probe.endpoint import Endpoint, Failure
from kate_eval.endpoints.probe.findings import Finding, no, unsure, yes

FLAGS = (
    "Start vLLM with --enable-auto-tool-choice --tool-call-parser hermes "
    "(or the parser of the model's family)"
)
RAW = re.compile(
    r"<tool_call|</tool_call>|\[TOOL_CALLS\]|<\|python_tag\|>|<function=|<\|tool▁call"
    r"|\{\s*\"(?:name|function)\"\s*:\s*\"(?:get_weather|book_trip|list_cities)\""
    r"|\[\s*(?:get_weather|book_trip|list_cities)\("
)
"""How calls look in text that no parser has read."""
TOKENS = 64


def tool(name: str, description: str, **properties: Any) -> dict[str, Any]:
    """A tool of which all parameters are required."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


TEXT = {"type": "string"}
# A choice of cities: a weak model that must call would fill a free text without end.
WEATHER = tool("get_weather", "The weather in a city.", city=TEXT | {"enum": ["Paris", "Rome"]})
CITIES = tool("list_cities", "All cities. Takes no arguments.")
_WHEN = {
    "type": "object",
    "properties": {"day": {"type": "integer"}, "month": TEXT},
    "required": ["day", "month"],
}
TRIP = tool("book_trip", "Book a trip.", date=_WHEN, stops={"type": "array", "items": TEXT})
TOOLS = [WEATHER, CITIES, TRIP]
ASKED = {
    "tool calls": "What is the weather in Paris? Call get_weather.",
    "parallel calls": "What is the weather in Paris and in Rome? Call get_weather twice, at once.",
    "nested arguments": "Book a trip on 3 May with the stops Rome and Pisa. Call book_trip.",
    "empty arguments": "Which cities are there? Call list_cities.",
}


async def accepted(endpoint: Endpoint) -> Finding:
    """Whether a request with tools is taken at all. One new token: the cheapest that tells."""
    try:
        await endpoint.chat(ASKED["tool calls"], tools=TOOLS, tool_choice="auto", max_tokens=1)
    except Failure as ex:
        return _refused("tools", ex)
    return yes("tools", "accepted with tool_choice auto")


async def parsed(endpoint: Endpoint, check: str) -> Finding:
    """Whether the server gives the calls that the model writes for one of the questions."""
    question = ASKED[check]
    try:
        answer = await endpoint.chat(
            question, tools=TOOLS, tool_choice="auto", temperature=0.0, max_tokens=TOKENS
        )
    except Failure as ex:
        return _refused(check, ex)
    first = answer["choices"][0]
    message = first.get("message") or {}
    calls, content = message.get("tool_calls") or [], str(message.get("content") or "")
    if not calls and RAW.search(content) and (first.get("finish_reason") == "length" or _malformed(content)):
        return unsure(
            check, "the model's call was cut off or malformed, so no parser can read it", shown([content])
        )
    if not calls and RAW.search(content):
        says = "the model wrote raw calls as text: the server's tool parser is off, or another model's"
        return no(check, says, shown([content]), FLAGS)
    if not calls:
        return unsure(check, "the model made no call", shown([content]))
    return _judge(check, calls)


def _malformed(content: str) -> bool:
    """Whether what follows a hermes tag is no JSON: then that it stays text says nothing of the parser."""
    _, tag, call = content.partition("<tool_call>")
    try:
        json.JSONDecoder().raw_decode(call.lstrip())
    except (ValueError, RecursionError):
        return bool(tag) and call.lstrip().startswith("{")
    return False


def _judge(check: str, calls: list[Any]) -> Finding:
    names, arguments = read_calls(calls)
    evidence = shown([f"{n}({json.dumps(a)})" for n, a in zip(names, arguments, strict=True)])
    if any(a is None for a in arguments):
        return unsure(check, "the model's arguments are no JSON object", shown([str(c) for c in calls], 200))
    if check == "parallel calls" and len(calls) < 2:
        return unsure(check, "the model made one call only", evidence)
    if check == "nested arguments" and not isinstance((arguments[0] or {}).get("date"), dict):
        return unsure(check, "the model made no nested argument", evidence)
    if check == "empty arguments" and arguments[0]:
        return unsure(check, "the model gave arguments", evidence)
    return yes(check, f"parsed: {len(calls)}", evidence)


def read_calls(calls: list[Any]) -> tuple[list[str], list[dict[str, Any] | None]]:
    """Names and arguments of calls on the wire; None for arguments that are no JSON object."""
    names: list[str] = []
    arguments: list[dict[str, Any] | None] = []
    for call in calls:
        function = (call.get("function") if isinstance(call, dict) else None) or {}
        names.append(str(function.get("name")))
        try:
            value = json.loads(function.get("arguments") or "{}")
        except (ValueError, TypeError, RecursionError):
            value = None
        arguments.append(value if isinstance(value, dict) else None)
    return names, arguments


async def chosen(endpoint: Endpoint, kind: str) -> Finding:
    """tool_choice: required, named or none."""
    check = f"tool_choice {kind}"
    named = {"type": "function", "function": {"name": "get_weather"}}
    choice = named if kind == "named" else kind
    try:
        answer = await endpoint.chat(
            ASKED["tool calls"], tools=[WEATHER], tool_choice=choice, temperature=0.0, max_tokens=TOKENS
        )
    except Failure as ex:
        return _refused(check, ex)
    first = answer["choices"][0]
    message = first.get("message") or {}
    calls = message.get("tool_calls") or []
    names, _ = read_calls(calls)
    if kind == "none":
        return no(check, "a call came", shown(names)) if calls else yes(check, "no call came")
    if calls:
        return yes(check, "a call came", shown(names))
    if first.get("finish_reason") == "length":
        return unsure(check, f"no call within {TOKENS} tokens", shown([str(message.get("content"))]))
    return no(check, "no call came, though one was demanded", shown([str(message.get("content"))]))


def _refused(check: str, ex: Failure) -> Finding:
    if ex.kind != "refused":
        raise ex
    text = str(ex)
    if "enable-auto-tool-choice" in text or "tool-call-parser" in text:
        return no(check, "the server refuses tools: it has no tool parser", text, FLAGS)
    if "tool" in text.lower():
        return no(check, "the server refuses it", text, FLAGS if check == "tools" else "")
    return unsure(check, "the request was refused", text)
