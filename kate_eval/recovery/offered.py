"""What may be called: the tools offered now, and how what is written becomes a call of one."""

from collections.abc import Callable, Sequence
from typing import Any

from inspect_ai.tool import ToolInfo
from inspect_ai.util import JSONSchema

from kate_eval.episode import Call
from kate_eval.recovery.reader import Budget, Reader, Spent, Unreadable

_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}
"""JSON's type -> Python's; true and false are told apart by name, null may stand for any."""


class Offered:
    """The tools by name.

    Args:
        tools: offered now.
        rename: from a documented name to the offered one ("math.gcd" is offered as "math_gcd").
    """

    def __init__(self, tools: Sequence[ToolInfo], rename: Callable[[str], str]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._rename = rename

    def call(self, name: object, arguments: object, budget: Budget) -> Call:
        """The call of these.

        Args:
            name: as written.
            arguments: an object, or its JSON as a string.
            budget: of the message.

        Raises:
            Unreadable: no such tool is offered, or the arguments are no object.
        """
        tool = self._tool(name)
        if isinstance(arguments, str):
            arguments = read_value(arguments, budget)
        if not isinstance(arguments, dict):
            raise Unreadable("the arguments are no object")
        if isinstance(arguments.get("properties"), dict) and "properties" not in tool.parameters.properties:
            raise Unreadable("the arguments are the tool's own schema")
        return Call(tool.name, arguments)

    def call_without(self, name: object) -> Call:
        """The call of a tool by its name alone.

        Raises:
            Unreadable: no such tool is offered, or it requires arguments.
        """
        tool = self._tool(name)
        if tool.parameters.required:
            raise Unreadable("the call has no arguments")
        return Call(tool.name, {})

    def typed(self, name: object, texts: dict[str, str], budget: Budget) -> Call:
        """The call whose arguments are written as plain text: each is read as its documented type.

        Raises:
            Unreadable: no such tool is offered.
        """
        tool = self._tool(name)
        documented = tool.parameters.properties
        return Call(
            tool.name, {key: _typed(text, documented.get(key), budget) for key, text in texts.items()}
        )

    def _tool(self, name: object) -> ToolInfo:
        if isinstance(name, str):
            found = self._tools.get(name) or self._tools.get(self._rename(name))
            if found is not None:
                return found
        raise Unreadable("no such tool is offered")


def read_value(text: str, budget: Budget) -> Any:
    """The value that the text is, the whole of it.

    Raises:
        Unreadable: it is none.
    """
    reader = Reader(text, budget)
    found = reader.value()
    if reader.next():
        raise Unreadable("something follows the value")
    return found


def _typed(text: str, schema: JSONSchema | None, budget: Budget) -> Any:
    """Text as a value of its documented type; text that is none of it stays text, for the tool to judge."""
    types = _types(schema)
    if not types - {"string"}:
        return text
    word = text.strip().lower()
    try:
        value = read_value(_WORDS.get(word, text), budget)
    except Spent:
        raise
    except Unreadable:
        return text
    if value is None or (isinstance(value, bool) and "boolean" in types):
        return value
    kinds = tuple(kind for name in types for kind in _TYPES.get(name, ()))
    return value if isinstance(value, kinds) and not isinstance(value, bool) else text


_WORDS = {"true": "true", "false": "false", "null": "null", "none": "null"}
"""Constants in whatever case they are written."""


def _types(schema: JSONSchema | None) -> set[str]:
    if schema is None:
        return set()
    named = schema.type if isinstance(schema.type, list) else [schema.type]
    found = {str(name) for name in named if name is not None}
    return found.union(*(_types(option) for option in schema.anyOf or ()))
