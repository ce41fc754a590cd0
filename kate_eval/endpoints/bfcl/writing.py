"""The simulated model's answers in either mode: as tool calls, or as text in the category's language."""

import copy
from functools import lru_cache
from typing import Any, Literal

from inspect_ai.tool import ToolCall

from kate_eval.bfcl.categories import language_of
from kate_eval.bfcl.decode import DecodeError, decode_prompt
from kate_eval.endpoints.bfcl.mistakes import Answer
from kate_eval.episode import Call

PARSE_ERROR = "Error parsing the following tool call arguments:\n\n{\n\nError details: simulated mistake"


def tool_calls(answer: Answer, id: str) -> list[ToolCall]:
    """The answer's calls as a provider delivers them; unparseable arguments as Inspect delivers those."""
    if answer.malformed:
        name = answer.calls[0].name
        return [ToolCall(id=f"{id}_0", function=name, arguments={}, parse_error=PARSE_ERROR)]
    return [
        ToolCall(id=f"{id}_{index}", function=call.name, arguments=copy.deepcopy(call.arguments))
        for index, call in enumerate(answer.calls)
    ]


def written(answer: Answer, category: str) -> str:
    """The answer as text: "[f(x=1), g()]", or the reply; broken off inside a call if malformed."""
    if not answer.calls:
        return answer.reply
    if answer.malformed:
        return f"[{answer.calls[0].name}(("
    language = language_of(category)
    if language == "python":
        return "[" + ", ".join(call.text for call in answer.calls) + "]"
    return "[" + ", ".join(_source(call, language) for call in answer.calls) + "]"


def _source(call: Call, language: Literal["java", "javascript"]) -> str:
    arguments = ", ".join(f"{name}={_value(str(value), language)}" for name, value in call.arguments.items())
    return f"{call.name}({arguments})"


@lru_cache(maxsize=4096)
def _value(value: str, language: Literal["java", "javascript"]) -> str:
    """A value (source text, or the content of a string) as it is, or quoted if only that reads back."""
    quoted = value.replace('"', '\\"')
    texts = (value, f'"{value}"', f'"{quoted}"', f"'{value}'")
    return next((text for text in texts if _read_back(text, language) == value), f'"{value}"')


def _read_back(text: str, language: Literal["java", "javascript"]) -> Any:
    try:
        return decode_prompt(f"[f(x={text})]", language)[0]["f"]["x"]
    except (DecodeError, LookupError):
        return None
