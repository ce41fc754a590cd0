"""The simulated model's answers as prompting mode's text, in the language that the category asks for."""

from functools import lru_cache
from typing import Any, Literal

from kate_eval.bfcl.categories import language_of
from kate_eval.bfcl.decode import DecodeError, decode_prompt, render_call
from kate_eval.endpoints.mistakes import Answer
from kate_eval.episode import Call


def written(answer: Answer, category: str) -> str:
    """The answer as text: "[f(x=1), g()]", or the reply; broken off inside a call if malformed."""
    if not answer.calls:
        return answer.reply
    if answer.malformed:
        return f"[{answer.calls[0].name}(("
    language = language_of(category)
    if language == "python":
        return "[" + ", ".join(render_call(call) for call in answer.calls) + "]"
    return "[" + ", ".join(_source(call, language) for call in answer.calls) + "]"


def _source(call: Call, language: Literal["java", "javascript"]) -> str:
    return f"{call.name}({', '.join(f'{name}={_value(str(v), language)}' for name, v in call.arguments.items())})"


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
