"""Gold answers as calls: parsed from the data with `ast`, never evaluated.

All 4,625 multi-turn gold calls are plain calls with literal arguments; 160 pass some of them by
position, which are named here from the function's documentation.
"""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from kate_eval.bfcl.categories import language_of
from kate_eval.bfcl.data import Entry, class_docs
from kate_eval.bfcl.literals import literal
from kate_eval.episode import Call
from kate_eval.errors import DatasetError


def parse_call(text: str, parameters: Mapping[str, Sequence[str]]) -> Call:
    """Parse "f('x', n=2)" into a call with named arguments.

    Args:
        text: one call with literal arguments.
        parameters: function name -> its parameter names, in order.

    Raises:
        DatasetError: the text is not such a call.
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise ValueError("not a plain call")
        arguments = {
            name: ast.literal_eval(value)
            for name, value in zip(parameters.get(node.func.id, ()), node.args, strict=False)
        }
        if len(arguments) < len(node.args):
            raise ValueError("more positional arguments than documented parameters")
        for keyword in node.keywords:
            if keyword.arg is None:
                raise ValueError("** is not supported")
            arguments[keyword.arg] = ast.literal_eval(keyword.value)
    except (SyntaxError, ValueError) as ex:
        raise DatasetError(f"Can't parse the gold call {text!r}: {ex}") from ex
    return Call(node.func.id, arguments)


def _parameters(entry: Entry) -> dict[str, list[str]]:
    docs = [doc for name in entry.classes for doc in class_docs(name)]
    return {doc["name"]: list(doc["parameters"]["properties"]) for doc in docs}


def multi_turn_gold(entry: Entry) -> list[list[Call]]:
    """The gold calls of a multi-turn entry: turn -> calls in order."""
    parameters = _parameters(entry)
    return [[parse_call(text, parameters) for text in turn] for turn in entry.gold]


def _first_possible(value: Any) -> Any:
    """The preferred answer among possible ones; a dictionary (or one in a list) lists them per key."""
    if isinstance(value, dict):
        listed = {key: options if isinstance(options, list) else [options] for key, options in value.items()}
        return {key: options[0] for key, options in listed.items() if options and options[0] != ""}
    if isinstance(value, list):
        return [_first_possible(item) if isinstance(item, dict) else item for item in value]
    return value


def single_turn_gold(entry: Entry) -> list[Call]:
    """One correct answer of a single-turn entry: its calls, each argument the first possible value.

    Arguments that may be left out ("" is among the possible values) are left out unless required.
    Names are the official dotted ones; Java and JavaScript values are source text.
    """
    language = language_of(entry.category)
    docs = {doc["name"]: doc["parameters"] for doc in entry.functions}
    calls = []
    for answer in entry.gold:
        [(name, options)] = answer.items()
        chosen: dict[str, Any] = {}
        for key, values in options.items():
            required = key in docs[name]["required"]
            if "" in values and not required:
                continue
            real = [value for value in values if value != ""] or [""]
            # One live entry's gold names a parameter that its function doesn't document.
            parameter = docs[name]["properties"].get(key, {"type": "any"})
            chosen[key] = literal(_first_possible(real[0]), parameter, language)
        calls.append(Call(name, chosen))
    return calls
