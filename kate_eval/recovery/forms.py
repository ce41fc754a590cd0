"""The forms in which models write calls, one after another: objects, lists, Python calls, names, XML.

What each family's template asks for, as the templates and the parsers of inference servers have it.
"""

import re
from typing import Any

from kate_eval.episode import Call
from kate_eval.recovery.offered import Offered
from kate_eval.recovery.reader import Reader, Unreadable

_FENCE = re.compile(r"\s*+```[A-Za-z_]*+")
_FENCE_END = re.compile(r"\s*+```")
_NAMED = re.compile(
    r"\s*+(?:function<｜tool▁sep｜>)?+(\w[\w.\-]*+)"
    r"(?:\[CALL_ID\]\w*+)?+(?:\[ARGS\]|<｜tool▁sep｜>)?+\s*+(```json\s*+)?+(?=[({])"
)
"""A name with what follows it: f( of Python, f{ and f[ARGS]{ of Mistral, f<｜tool▁sep｜>{ of DeepSeek."""
_FUNCTION = re.compile(r'\s*+<function=\s*+"?([\w.\-]++)"?\s*+>')
_FUNCTION_END = re.compile(r"\s*+(?:</function>|(?=</tool_call>))")
_PARAMETER = re.compile(r'\s*+<parameter=\s*+"?([^<>"\s]++)"?\s*+>')
_PARAMETER_END = re.compile(r"</parameter>(?=\s*+(?:<parameter=|</function>|</tool_call>))")
_KEYWORD = re.compile(r"\s*+([A-Za-z_]\w*+)\s*+=(?!=)")
_OPEN_END = re.compile(r"\Z|</|<\||<｜|```")
"""Ends of a marked call that was left without the closing brace of {"name": ..., "arguments": {...}."""
_MORE = re.compile(r"[\s,;]*+(?=\{|<function=|\w[\w.\-]*+(?:[({]|\[ARGS\]))")
_KEYS = frozenset({"name", "function", "arguments", "parameters", "type", "id", "index"})
"""Of an object that is a call; one that isn't marked as such may have no others."""


def begins(reader: Reader) -> bool:
    """Whether what stands here sets out to be calls."""
    at = reader.at
    reader.match(_FENCE)
    started = reader.next() in ("{", "[") or bool(reader.match(_FUNCTION) or reader.match(_NAMED))
    reader.at = at
    return started


def read_calls(reader: Reader, offered: Offered, marked: bool) -> list[Call]:
    """The calls that stand here, in one fence or none.

    Args:
        reader: where they begin.
        offered: what may be called.
        marked: whether a mark says that these are calls. Where none does, nothing is forgiven.

    Raises:
        Unreadable: one of them is no complete call of a tool that is offered.
    """
    fenced = reader.match(_FENCE)
    found = _calls(reader, offered, marked)
    while reader.match(_MORE):
        found += _calls(reader, offered, marked)
    if fenced:
        reader.match(_FENCE_END)
    return found


def _calls(reader: Reader, offered: Offered, marked: bool) -> list[Call]:
    match reader.next():
        case "{":
            value = reader.mapping(open_end=_OPEN_END if marked else None)
            return [_from_object(value, reader, offered, marked)]
        case "[":
            return _listed(reader, offered, marked)
        case "<":
            return [_function(reader, offered)]
    return [_named(reader, offered)]


def _listed(reader: Reader, offered: Offered, marked: bool) -> list[Call]:
    """A list of objects or of Python calls; an empty list holds no call."""
    reader.expect("[")
    found: list[Call] = []
    while not found or not reader.take("]"):
        if reader.next() == "{":
            found.append(_from_object(reader.mapping(), reader, offered, marked))
        else:
            found.append(_named(reader, offered))
        if not reader.take(","):
            reader.expect("]")
            break
    return found


def _from_object(value: dict[str, Any], reader: Reader, offered: Offered, marked: bool) -> Call:
    """{"name", "arguments" or "parameters"}; the same below "function"; or "function" in place of "name"."""
    known = set(value) <= _KEYS
    if isinstance(value.get("function"), dict):
        value = value["function"]
        known = known and set(value) <= _KEYS
    names = [value[key] for key in ("name", "function") if key in value]
    arguments = [value[key] for key in ("arguments", "parameters") if key in value]
    if len(names) != 1 or len(arguments) > 1 or not (known or marked):
        raise Unreadable("the object is no call")
    if marked and not reader.left_open and (not arguments or arguments[0] in (None, "")):
        return offered.call_without(names[0])
    if not arguments:
        raise Unreadable("the object has no arguments")
    return offered.call(names[0], arguments[0], reader.budget)


def _named(reader: Reader, offered: Offered) -> Call:
    found = reader.match(_NAMED)
    if found is None:
        raise Unreadable("not a call")
    if reader.next() == "(":
        return offered.call(found[1], _keywords(reader), reader.budget)
    arguments = reader.mapping()
    if found[2]:
        reader.match(_FENCE_END)
    return offered.call(found[1], arguments, reader.budget)


def _keywords(reader: Reader) -> dict[str, Any]:
    """The arguments of a Python call. Which parameter a value without a name is for would be a guess."""
    reader.expect("(")
    arguments: dict[str, Any] = {}
    while not reader.take(")"):
        key = reader.match(_KEYWORD)
        if key is None or key[1] in arguments:
            raise Unreadable("an argument has no name, or one that was there before")
        arguments[key[1]] = reader.value()
        if not reader.take(","):
            reader.expect(")")
            break
    return arguments


def _function(reader: Reader, offered: Offered) -> Call:
    """Llama's <function=f>{...}</function>, and Qwen3-Coder's with <parameter=x>...</parameter> inside."""
    found = reader.match(_FUNCTION)
    if found is None:
        raise Unreadable("not a call")
    if reader.next() == "{":
        call = offered.call(found[1], reader.mapping(), reader.budget)
        reader.match(_FUNCTION_END)
        return call
    texts: dict[str, str] = {}
    while not reader.match(_FUNCTION_END):
        parameter = reader.match(_PARAMETER)
        if parameter is None or parameter[1] in texts:
            raise Unreadable("the function is not closed, or has a parameter twice")
        texts[parameter[1]] = _parameter_text(reader)
    return offered.typed(found[1], texts, reader.budget)


def _parameter_text(reader: Reader) -> str:
    """Up to the parameter's end; the template puts one line break before and after the text."""
    end = _PARAMETER_END.search(reader.text, reader.at)
    reader.budget.spend((end.start() if end else len(reader.text)) - reader.at)
    text = reader.text[reader.at : end.start()] if end else ""
    if end is None or "<parameter=" in text or "<function=" in text:
        raise Unreadable("a parameter is not closed")
    reader.at = end.end()
    return text.removeprefix("\n").removesuffix("\n")
