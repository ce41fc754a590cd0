"""What a teacher may say: the rule, by examples and by property."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kate_eval.appworld.decode import code_block
from kate_eval.episode import Call
from kate_eval.trainers.rows.quoting import fault

SHOWN = "Move final_report.pdf into temp, and buy 3 shares for $1,200.50."
MOVE = Call("mv", {"source": "final_report.pdf", "destination": "archive_2024"})
BUY = Call("buy", {"amount": 3, "price": 1200.5, "limit": 77, "now": True})
CODE = code_block("token = login('ann')\nprint(apis.venmo.show_balance(access_token=token, page=42))")
TOOLS = ("mv", "ls", "buy")

KEPT = [
    (MOVE, "The report must move, so I take mv for final_report.pdf now."),
    (BUY, "Three shares at 1200.5 are wanted, 3 in all, so buy comes now; that is true."),
    (MOVE, "I was told nothing of the folder."),
    (CODE, "The balance is shown by the venmo app, so I print it with the token."),
]
REFUSED = [
    (MOVE, "The ground truth moves the report.", "answer key"),
    (MOVE, "The gold call is next.", "answer key"),
    (MOVE, "As the provided solution does, I move it.", "answer key"),
    (MOVE, "I was told to move it.", "answer key"),
    (MOVE, "Now mv(source='final_report.pdf').", "writes out a call of mv"),
    (MOVE, "First ls ( ) shows the folder.", "writes out a call of ls"),
    (MOVE, "It goes to Archive_2024 now.", "names the value 'archive_2024'"),
    (MOVE, "```\nx\n```", "holds code"),
    (BUY, "The limit is 77.", "names the value '77'"),
    (CODE, "I call apis.venmo.show_balance (...).", "writes out a call of venmo.show_balance"),
    (CODE, "I run token = login('ann') now.", "writes out a line of the code"),
    (CODE, "Page 42 is next.", "names the value '42'"),
    (CODE, "Ann logs in.", "names the value 'ann'"),
]


@pytest.mark.parametrize(("call", "text"), KEPT)
def test_kept(call: Call, text: str) -> None:
    assert fault(text, [call], TOOLS, SHOWN) == ""


@pytest.mark.parametrize(("call", "text", "reason"), REFUSED)
def test_refused(call: Call, text: str, reason: str) -> None:
    assert reason in fault(text, [call], TOOLS, SHOWN)


def test_a_value_that_was_shown_may_be_named() -> None:
    text = "It goes to archive_2024, page 42, limit 77."
    assert fault(text, [MOVE, BUY], TOOLS, f"{SHOWN} ARCHIVE_2024 77") == ""
    assert fault(text, [], TOOLS, "") == ""  # a reply has no gold step


VALUES = st.recursive(
    st.text(min_size=3, max_size=12) | st.integers() | st.floats(allow_nan=False) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(min_size=1, max_size=8), VALUES, max_size=4), st.text(max_size=80))
def test_any_arguments_and_text_can_be_checked(arguments: dict[str, Any], text: str) -> None:
    call = Call("f", arguments)
    assert isinstance(fault(text, [call], ("f",), ""), str)
    assert fault(f"{text} {call.text}", [call], ("f",), "") != ""


@given(st.from_regex(r"[a-z]{4,10}", fullmatch=True))
def test_a_hidden_value_is_found_in_any_case(value: str) -> None:
    call = Call("f", {"x": value})
    assert "names the value" in fault(f"So {value.upper()} it is.", [call], (), "nothing here: 123")
    assert fault(f"So {value} it is.", [call], (), f"see {value}") == ""
