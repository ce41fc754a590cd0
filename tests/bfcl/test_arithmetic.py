"""Arithmetic in prompting-mode arguments has the value that Python gives it, within bounds."""

import ast
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kate_eval.bfcl.decode import DecodeError, decode_prompt

LITERALS = st.one_of(
    st.integers(-50, 50).map(repr),
    st.floats(-10, 10, allow_nan=False).map(repr),
    st.text("ab ", max_size=3).map(repr),
    st.booleans().map(repr),
    st.lists(st.integers(0, 3), max_size=2).map(repr),
    st.sampled_from(("(3 << 2)", "(1 >> 1)", "(2 ** 5)", "(2 ** -1)", "(~4)", "(1 << -1)")),
)
OPERATORS = st.sampled_from(("+", "-", "*", "/", "//", "%", "|", "&", "^"))


def combine(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(parts, OPERATORS, parts).map(lambda t: f"({t[0]} {t[1]} {t[2]})")


EXPRESSIONS = combine(st.recursive(LITERALS, combine, max_leaves=5))


def decoded(expression: str) -> Any:
    [call] = decode_prompt(f"[f(x={expression})]", "python")
    return call["f"]["x"]


@given(EXPRESSIONS)
def test_it_is_what_python_says(expression: str) -> None:
    try:
        # Built from literals and operators above; nothing else can be in it.
        expected = eval(compile(ast.parse(expression, mode="eval"), "", "eval"), {"__builtins__": {}})
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        with pytest.raises(DecodeError):
            decoded(expression)
        return
    try:
        found = decoded(expression)
    except DecodeError as ex:
        assert "too large" in str(ex) and len(str(expected)) > 9_000, "refused without need"
        return
    assert type(found) is type(expected)
    assert found == expected or (isinstance(found, float) and math.isnan(found))


@pytest.mark.parametrize(
    "expression",
    [
        *("9 ** 9 ** 9", "1 << 10 ** 9", "'a' * 10 ** 9", "10 ** 9 * [0]", "'%1000000000d' % 1"),
        *("'%*d' % (10 ** 9, 1)", "2 ** 20000 * 2 ** 20000", "('a' * 9999 + 'b') * 9999"),
    ],
)
def test_what_could_be_very_large_does_not_decode(expression: str) -> None:
    with pytest.raises(DecodeError, match="too large"):
        decoded(expression)


@pytest.mark.parametrize(
    "expression", ["x + 1", "len('a') + 1", "f(1) * 2", "[y for y in z] + [1]", "{**a} | {}"]
)
def test_names_and_calls_in_it_do_not_decode(expression: str) -> None:
    with pytest.raises(DecodeError, match="only hold literals"):
        decoded(expression)
