"""The dialects of official result files: what each kind of model handler writes, read as it reads it.

Source: bfcl-eval 2026.3.23, `decode_ast` and `decode_execute` of the handlers below `model_handler/`.
Departure: nothing is evaluated; where a handler runs `eval()` on an answer (Llama 3.1), literals are read.
"""

import ast
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from kate_eval.bfcl.decode import MAX_TEXT, DecodeError, decode_prompt, executable_calls
from kate_eval.bfcl.dialect import Decoded, Dialect, Language
from kate_eval.episode import Call

_OPEN, _CLOSE = "<tool_call>\n", "\n</tool_call>"

Pairs = list[tuple[Any, Any]]
"""Name and arguments of each call, unchecked."""


def _loads(text: Any) -> Any:
    if not isinstance(text, str):
        raise DecodeError("arguments are no text")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as ex:
        raise DecodeError(f"no JSON: {ex}") from ex


def _calls(response: Any) -> list[dict[Any, Any]]:
    """The answer as a list of objects."""
    if not isinstance(response, list) or not all(isinstance(item, dict) for item in response):
        raise DecodeError("the answer is no list of calls")
    return response


def _decoded(pairs: Pairs) -> Decoded:
    return [{name: arguments} for name, arguments in pairs]


def _executable(pairs: Pairs) -> list[Call]:
    found = []
    for name, arguments in pairs:
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise DecodeError("a call is no name with arguments")
        found.append(Call(name, arguments))
    return found


def _text_single(response: Any, language: Language) -> Decoded:
    """[{name: arguments as JSON text}]; only an item's first key counts."""
    pairs = []
    for item in _calls(response):
        if not item:
            raise DecodeError("a call without a name")
        name = next(iter(item))
        pairs.append((name, _loads(item[name])))
    return _decoded(pairs)


def _list_steps(response: Any) -> list[Call]:
    """[{name: arguments as JSON text or as an object}, ...], or one such object."""
    items = _calls([response] if isinstance(response, dict) else response)
    pairs = [(name, value) for item in items for name, value in item.items()]
    return _executable([(name, _loads(v) if isinstance(v, str) else v) for name, v in pairs])


def _objects_single(response: Any, language: Language) -> Decoded:
    """[{name: arguments as an object}]: already in the decoded shape."""
    return _calls(response)


def _keyed(items: Iterable[Any], name: str, arguments: str) -> Pairs:
    pairs = []
    for item in items:
        if not isinstance(item, dict) or name not in item or arguments not in item:
            raise DecodeError(f"a call has no {name!r} or {arguments!r}")
        if not isinstance(item[name], str):
            raise DecodeError("a call's name is no text")
        pairs.append((item[name], item[arguments]))
    return pairs


def _tagged(response: Any) -> Pairs:
    """Text with <tool_call> blocks of JSON; blocks that are none are passed over."""
    if not isinstance(response, str):
        raise DecodeError("the answer is no text")
    found = []
    for block in _blocks(response):
        try:
            found.append(json.loads(block))
        except (ValueError, RecursionError):
            continue
    return _keyed(found, "name", "arguments")


def _blocks(text: str) -> Iterator[str]:
    """What stands between the tags. (A regular expression takes quadratic time where nothing closes them.)"""
    end = 0
    while (start := text.find(_OPEN, end)) >= 0:
        start += len(_OPEN)
        end = text.find(_CLOSE, start)
        if end < 0:
            return
        yield text[start:end]
        end += len(_CLOSE)


def _json(response: Any, key: str, clean: Callable[[str], str], read: Callable[[str], Any]) -> Pairs:
    """Text that is JSON: one call, or a list of them."""
    if not isinstance(response, str) or len(response) > MAX_TEXT:
        raise DecodeError(f"the answer is no text of at most {MAX_TEXT} characters")
    found = read(clean(response))
    return _keyed(found if isinstance(found, list) else [found], "name", key)


def _or_nothing(text: str) -> Any:
    try:
        return _loads(text)
    except DecodeError:
        return []


def _or_semicolons(text: str) -> Any:
    try:
        return _loads(text)
    except DecodeError:
        return [_loads(part) for part in text.split(";")]


def _literal(text: str) -> Any:
    if ";" in text:
        return [_loads(part) for part in text.split(";")]
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as ex:
        raise DecodeError(f"no literal: {ex}") from ex


def _written(name: str, dotted: bool, pairs: Callable[[Any], Pairs]) -> Dialect:
    """A dialect whose single-turn answers and steps are read alike."""
    return Dialect(
        name=name,
        dotted=dotted,
        decode=lambda response, _: _decoded(_objects(pairs(response))),
        steps=lambda response: _executable(pairs(response)),
    )


def _objects(pairs: Pairs) -> Pairs:
    if not all(isinstance(arguments, dict) for _, arguments in pairs):
        raise DecodeError("arguments are no object")
    return pairs


def _prompt(name: str, clean: Callable[[str], str]) -> Dialect:
    def text(response: Any) -> str:
        if not isinstance(response, str):
            raise DecodeError("the answer is no text")
        return clean(response)

    return Dialect(
        name=name,
        dotted=True,
        decode=lambda response, language: decode_prompt(text(response), language),
        steps=lambda response: executable_calls(decode_prompt(text(response), "python")),
    )


def _without_fences(text: str) -> str:
    text = text.strip()
    return text.removeprefix("```json").removeprefix("```python")


def _same(text: str) -> str:
    return text


_JSON = {
    "json": partial(_json, key="arguments", clean=_same, read=_loads),
    "json_fenced": partial(
        _json, key="arguments", clean=lambda text: text.replace("```", ""), read=_or_nothing
    ),
    "json_semicolons": partial(_json, key="arguments", clean=_same, read=_or_semicolons),
    "json_parameters": partial(
        _json, key="parameters", clean=lambda text: text.replace("<|python_tag|>", ""), read=_literal
    ),
}

DIALECTS: dict[str, Dialect] = {
    "fc": Dialect("calls with their arguments as JSON text", False, _text_single, _list_steps),
    "objects": Dialect("calls with their arguments as objects", True, _objects_single, _list_steps),
    "tool_name": _written(
        "calls with tool_name and parameters", False, lambda r: _keyed(_calls(r), "tool_name", "parameters")
    ),
    "named": _written(
        "calls with name and arguments", True, lambda r: _keyed(_calls(r), "name", "arguments")
    ),
    "tagged": _written("text with <tool_call> blocks", True, _tagged),
    **{name: _written("calls as JSON in the text", True, pairs) for name, pairs in _JSON.items()},
    "prompt": _prompt("calls as Python text", _same),
    "prompt_fenced": _prompt("calls as Python text", _without_fences),
    "prompt_tool_code": _prompt(
        "calls as Python text", lambda text: text.replace("```tool_code\n", "").replace("\n```", "")
    ),
}
"""Name -> dialect; `dotted` as most models that write it are registered."""

PROMPTING = frozenset(name for name in DIALECTS if name.startswith("prompt"))
LISTS = ("fc", "objects", "tool_name", "named")
"""Dialects whose calls are lists of objects: no prompting handler writes those."""
