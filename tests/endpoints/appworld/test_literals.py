"""Literals of a block are found and replaced one at a time, whatever the text is."""

import ast
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kate_eval.endpoints.appworld.literals import literals, other_value, with_literal


def test_literals_are_named_by_what_they_are_used_for() -> None:
    code = (
        "x = apis.notes.search(query='a', page_limit=20)[0]\nif x['id'] == 3.5 and not True: print(f'no {x}')"
    )
    found = {(literal.place, literal.value) for literal in literals(code)}
    assert found == {
        ("query", "a"),
        ("page_limit", 20),
        ("Subscript", 0),
        ("Subscript", "id"),
        ("Compare", 3.5),
    }


def test_one_literal_is_replaced_and_nothing_else() -> None:
    code = "f(a='x', b='x')"
    second = literals(code)[1]
    assert with_literal(code, second.index, "it's") == "f(a='x', b=\"it's\")"


@given(st.text(alphabet="apis.x()='\"[]{}:,+ \n1234567890#\\f", max_size=60))
def test_any_text_is_taken_and_what_is_found_can_be_replaced(code: str) -> None:
    for literal in literals(code):
        changed = with_literal(code, literal.index, "other")
        ast.parse(changed)
        assert len(literals(changed)) == len(literals(code))


@pytest.mark.parametrize("code", ["(" * 9000, "x = '" + "a" * 50_000 + "'", "f(", "\0"])
def test_hostile_text_holds_no_literals(code: str) -> None:
    assert literals(code) == []


values = st.text(max_size=9) | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False)


@given(values, st.lists(values, max_size=5), st.lists(st.text(max_size=5), max_size=3), st.integers())
def test_another_value_is_of_the_kind_and_another(
    value: str | int | float, known: list[str | int | float], seen: list[str], seed: int
) -> None:
    other = other_value(value, tuple(known), tuple(seen), Random(seed))
    assert other is None or (other != value and isinstance(other, str) == isinstance(value, str))
