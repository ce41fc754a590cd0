"""When an answer does the same as a row's."""

import pytest

from kate_eval.trainers.sft.exact import Exact, acts, same
from tests.trainers import tiny

CALL = '<tool_call>\n{"name": "mkdir", "arguments": {"dir": "%s"}}\n</tool_call>'
ROW = tiny.row(0)
REPLY = tiny.row(0, answer="Done.")


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (CALL % "a", True),
        ("<think>\nA folder.\n</think>\n\n" + CALL % "a", True),
        ("Sure.\n" + CALL.replace('"dir": "%s"', '"dir" : "a"'), True),
        (CALL % "b", False),
        (CALL % "a" + "\n" + CALL % "a", False),
        ("a", False),
        ("", False),
        ('<tool_call>\n{"name": "mkdir", "arguments": {"dir": "a"', False),
        (CALL.replace("mkdir", "rm") % "a", False),
    ],
)
def test_calls_are_compared_not_their_text(text: str, right: bool) -> None:
    assert same(ROW, text) is right


def test_a_reply_is_right_without_a_call_whatever_it_says() -> None:
    assert same(REPLY, "All is done.") and not same(REPLY, CALL % "a")


@pytest.mark.parametrize("text", ["", " \n", CALL[:40], "<think>\nA folder"])
def test_silence_and_half_a_call_are_no_reply(text: str) -> None:
    assert not same(REPLY, text)


def test_a_call_in_thinking_that_has_no_end_was_not_made() -> None:
    assert not same(ROW, "<think>\n" + CALL % "a")


def test_answers_that_act_by_their_text_are_compared_as_that() -> None:
    code = REPLY.model_copy(update={"mode": "code", "completion": {"role": "assistant", "content": "x = 1"}})
    assert same(code, "<think>?</think>\n x = 1\n") and not same(code, "x = 2")


def test_what_acts_is_counted_apart() -> None:
    assert acts(ROW) and not acts(REPLY) and acts(REPLY.model_copy(update={"mode": "code"}))
    found = Exact((4, 1), (0, 0)).metrics()
    assert found == {"exact_call": 0.25, "exact_call_n": 4}
