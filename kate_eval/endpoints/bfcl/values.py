"""Wrong and invented arguments of the simulated model: plausible, diverse, drawn from a random stream."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from random import Random
from typing import Any

from kate_eval.endpoints.bfcl.script import Pool
from kate_eval.episode import Call

Doc = Mapping[str, Any]

_WORDS = ("main", "report", "default", "test", "sample", "London", "primary", "2024-01-15", "alpha", "item_1")


def distorted(call: Call, doc: Doc | None, pool: Pool, rng: Random) -> Call | None:
    """The call with one thing wrong in its arguments; None if there is nothing to get wrong.

    A wrong value is likelier than a dropped optional argument, two swapped ones or one too many.
    """
    parameters = (doc or {}).get("parameters", {})
    given = call.arguments
    wrong = [{**given, key: _other(given[key], pool.values.get((call.name, key), ()), rng)} for key in given]
    dropped = [_without(given, key) for key in given if key not in parameters.get("required", ())]
    swapped = [{**given, a: given[b], b: given[a]} for a, b in _alike(given)]
    added = [
        {**given, key: _invented(parameter, rng)}
        for key, parameter in parameters.get("properties", {}).items()
        if key not in given
    ]
    changed = [Call(call.name, arguments) for arguments in [*wrong * 3, *dropped, *swapped, *added]]
    changed = [other for other in changed if other.key != call.key]
    return rng.choice(changed) if changed else None


def _without(arguments: Mapping[str, Any], dropped: str) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if key != dropped}


def _alike(arguments: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pairs of arguments that can be confused."""
    return [(a, b) for a, b in combinations(arguments, 2) if type(arguments[a]) is type(arguments[b])]


def _other(value: Any, seen: Sequence[Any], rng: Random) -> Any:
    """A wrong value in place of this one: one seen elsewhere for the parameter, or a variation."""
    options = [*_variations(value, rng), *rng.sample(seen, min(3, len(seen)))]
    options = [option for option in options if option != value]
    return rng.choice(options) if options else None


def _variations(value: Any, rng: Random) -> list[Any]:
    match value:
        case bool():
            return [not value]
        case int() | float():
            return [value + 1, value - 1, value * 10, -value]
        case str():
            return _texts(value)
        case list() if value:
            at = rng.randrange(len(value))
            varied = [*value[:at], *_variations(value[at], rng)[:1], *value[at + 1 :]]
            return [value[:-1], value[::-1], varied]
        case dict() if value:
            key = rng.choice(list(value))
            return [
                _without(value, key),
                *({**value, key: other} for other in _variations(value[key], rng)[:1]),
            ]
    return [_WORDS[0]]


def _texts(text: str) -> list[str]:
    head, dot, _ = text.rpartition(".")
    words = text.split()
    shorter = [" ".join(words[:-1]), words[0]] if len(words) > 1 else [text[: len(text) // 2]]
    stem = [head] if dot and head else []
    return [*shorter, *stem, f"{text}_1", f"new_{text}"]


def invented_arguments(doc: Doc, rng: Random) -> dict[str, Any]:
    """Arguments that fit the documentation, without regard to what the user said."""
    parameters = doc["parameters"]
    names = [name for name in parameters.get("required", ()) if name in parameters["properties"]]
    return {name: _invented(parameters["properties"][name], rng) for name in names}


def _invented(parameter: Doc, rng: Random) -> Any:
    if parameter.get("enum"):
        return rng.choice(parameter["enum"])
    match str(parameter.get("type", "string")).lower():
        case "integer" | "int" | "long" | "bigint":
            return rng.randint(1, 20)
        case "float" | "number" | "double":
            return round(rng.uniform(1, 100), 1)
        case "boolean":
            return rng.random() < 0.5
        case "array" | "list" | "arraylist" | "tuple":
            return [_invented(parameter.get("items") or {}, rng)]
        case "dict" | "object" | "hashmap":
            return {name: _invented(item, rng) for name, item in (parameter.get("properties") or {}).items()}
    return rng.choice(_WORDS)
