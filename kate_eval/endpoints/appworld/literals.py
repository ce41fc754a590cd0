"""Literals in a block of code: where they stand, and plausible other ones for simulated slips."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

Value = str | int | float
MAX_CODE = 20_000
"""Characters; nothing is looked for in a longer block."""


@dataclass(frozen=True)
class Literal:
    """One literal of a block.

    Attributes:
        index: its number among the block's literals.
        place: what it is used for: a keyword argument's name, or the kind of expression it stands in.
        value: itself.
    """

    index: int
    place: str
    value: Value


def literals(code: str) -> list[Literal]:
    """The literals of a block, in a fixed order; none if it doesn't parse."""
    tree = parsed(code)
    found = _constants(tree) if tree is not None else ()
    return [Literal(index, place, value) for index, (place, _, value) in enumerate(found)]


def with_literal(code: str, index: int, value: Value) -> str:
    """The block with another value for one of its literals.

    Raises:
        IndexError: it has no such literal.
    """
    tree = parsed(code)
    found = list(_constants(tree)) if tree is not None else []
    found[index][1].value = value
    return ast.unparse(tree) if tree is not None else code


def other_value(value: Value, known: tuple[Value, ...], seen: tuple[str, ...], rng: Random) -> Value | None:
    """A wrong value in place of this one: used elsewhere in the same place, seen in an output, or near it.

    Args:
        value: the right one.
        known: values that other blocks have in this place.
        seen: texts that were printed.
        rng: the random stream.
    """
    alike = [other for other in known if type(other) is type(value)]
    options = [*rng.sample(alike, min(3, len(alike))), *_variations(value)]
    if isinstance(value, str) and seen:
        options += [rng.choice(seen)]
    options = [option for option in options if option != value]
    return rng.choice(options) if options else None


def _variations(value: Value) -> list[Value]:
    if isinstance(value, str):
        words = value.split()
        return [" ".join(words[:-1])] if len(words) > 1 else [f"{value}s" if value else "all"]
    return [value + 1, value - 1, value * 10]


def parsed(code: str) -> ast.Module | None:
    """The syntax tree of a block; None if it has none, or is too long to look at."""
    if len(code) > MAX_CODE:
        return None
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.Constant, Value]]:
    for parent in ast.walk(tree):
        # The parts of f-strings have no text of their own, and a bare string does nothing.
        if isinstance(parent, ast.JoinedStr | ast.Expr):
            continue
        place = parent.arg if isinstance(parent, ast.keyword) else type(parent).__name__
        for child in ast.iter_child_nodes(parent):
            if not isinstance(child, ast.Constant) or isinstance(child.value, bool):
                continue
            if isinstance(child.value, str | int | float):
                yield place or "**", child, child.value
