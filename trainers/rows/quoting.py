"""The check that a teacher's text does not give the answer key away.

A text is refused if it
1. speaks of an answer key ("ground truth", "gold", "reference answer", "the given step", ...),
2. writes out a call: a tool's name before a bracket, fenced code, or a line of the gold code,
3. holds a value of the gold step that no earlier message shows, nor the tools' documentation. Compared are
   texts of three characters and more (case aside) and numbers; truth values are not.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kate_eval.episode import Call

MIN_VALUE = 3
"""Characters from which a text value is looked for: shorter ones stand in many words."""
MIN_LINE = 12
"""Characters from which a line of gold code is looked for."""
_KEY = re.compile(
    r"\b(?:ground[- ]truth|gold(?:en)? (?:answer|call|step|action|solution|label|standard)|answer key"
    r"|(?:reference|expected|official|correct|target|provided|given|prescribed|supplied|intended) "
    r"(?:answer|solution|call|calls|step|action|output|trajectory)"
    r"|(?:was|am|were|been) (?:told|instructed) (?:to|that|what)|next step (?:is|was) given)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?!\w)")
_API = re.compile(r"\bapis\.(\w+\.\w+)")


def fault(text: str, calls: Sequence[Call], tools: Iterable[str], shown: str) -> str:
    """Why a text gives the key away; "" if it does not.

    Args:
        text: the teacher's.
        calls: the gold step; none for a reply.
        tools: names of the tools offered.
        shown: all that the model was shown before the step, and the tools' documentation.
    """
    if found := _KEY.search(text):
        return f'it speaks of an answer key ("{found[0]}")'
    if "```" in text:
        return "it holds code"
    codes = [code for call in calls if isinstance(code := call.arguments.get("code"), str)]
    names = [*tools, *(call.name for call in calls), *(name for code in codes for name in _API.findall(code))]
    for name in names:
        if re.search(rf"(?<!\w){re.escape(name)}\s*\(", text):
            return f"it writes out a call of {name}"
    for line in (line.strip() for code in codes for line in code.splitlines()):
        if len(line) >= MIN_LINE and line in text:
            return "it writes out a line of the code"
    for value in _values(calls):
        if _says(text, value) and not _says(shown, value):
            return f"it names the value {str(value)[:80]!r}, which nothing shows yet"
    return ""


def _values(calls: Sequence[Call]) -> Iterator[str | float]:
    """The texts and numbers in the arguments, or in the code."""
    for call in calls:
        code = call.arguments.get("code")
        leaves = _literals(code) if isinstance(code, str) and len(call.arguments) == 1 else [call.arguments]
        for leaf in leaves:
            yield from _leaves(leaf)


def _literals(code: str) -> list[Any]:
    try:
        return [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]
    except (SyntaxError, ValueError, RecursionError):
        return []


def _leaves(value: Any) -> Iterator[str | float]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)
    elif isinstance(value, str) and len(value.strip()) >= MIN_VALUE:
        yield value.strip()


def _says(text: str, value: str | float) -> bool:
    if isinstance(value, str):
        return value.lower() in text.lower()
    return any(float(found.replace(",", "")) == value for found in _NUMBER.findall(text))
