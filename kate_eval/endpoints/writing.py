"""The simulated model's answers as prompting mode's text, in the language that the category asks for."""

from collections.abc import Mapping
from typing import Any

from kate_eval.bfcl.categories import language_of
from kate_eval.bfcl.decode import render_call
from kate_eval.endpoints.mistakes import Answer
from kate_eval.episode import Call


def written(answer: Answer, category: str, docs: Mapping[str, Mapping[str, Any]]) -> str:
    """The answer as text: "[f(x=1), g()]", or the reply; broken off inside a call if malformed."""
    if not answer.calls:
        return answer.reply
    if answer.malformed:
        return f"[{answer.calls[0].name}(("
    if language_of(category) == "python":
        return "[" + ", ".join(render_call(call) for call in answer.calls) + "]"
    return "[" + ", ".join(_source(call, docs.get(call.name, {})) for call in answer.calls) + "]"


def _source(call: Call, doc: Mapping[str, Any]) -> str:
    """A call whose values are source text already, except for strings."""
    properties = doc.get("parameters", {}).get("properties", {})
    parts = []
    for name, value in call.arguments.items():
        text = str(properties.get(name, {}).get("type")).lower() in ("string", "char")
        parts.append(f'{name}="{value}"' if text else f"{name}={value}")
    return f"{call.name}({', '.join(parts)})"
