"""A block loses one filter at a time, and stays code."""

import ast
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kate_eval.endpoints.appworld.conditions import without_condition


def test_each_filter_can_be_dropped_and_what_ends_a_loop_can_not() -> None:
    code = (
        "old = [song for song in songs if song['year'] < 2000]\n"
        "for song in old:\n"
        "    if not song:\n"
        "        break\n"
        "    if song['liked']:\n"
        "        apis.songs.unlike(song_id=song['id'])"
    )
    found = {without_condition(code, Random(seed)) for seed in range(20)}
    assert found == {
        code.replace(" if song['year'] < 2000", ""),
        code.replace("    if song['liked']:\n    ", ""),
    }


@pytest.mark.parametrize("code", ["apis.songs.play()", "if", "if x:\n    y()\nelse:\n    z()", ""])
def test_without_a_filter_there_is_nothing_to_drop(code: str) -> None:
    assert without_condition(code, Random(0)) is None


@given(
    st.lists(st.sampled_from(["if x:", "for y in z:", "[a for a in b if a if c]", "f()", "break", "    "]))
)
def test_what_comes_out_is_code(lines: list[str]) -> None:
    changed = without_condition("\n".join(" " * n + line for n, line in enumerate(lines)), Random(0))
    if changed is not None:
        ast.parse(changed)
