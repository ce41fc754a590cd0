"""Answers are read in training as they are when the model is served."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import ContentReasoning
from inspect_ai.tool import ToolInfo

from kate_eval.trainers.rollout.reading import Parser, read_answer, sets_out_to_call

TOOLS = [ToolInfo(name="cd", description="Changes the folder.")]
CALL = '<tool_call>\n{"name": "cd", "arguments": {"folder": "a"}}\n</tool_call>'


def calls(text: str, parser: Parser) -> list[tuple[str, object]]:
    """The calls that are read."""
    message = read_answer(text, TOOLS, str, 0, parser)
    return [(call.function, call.parse_error or call.arguments) for call in message.tool_calls or []]


CD = ("cd", {"folder": "a"})
NOT_AN_OBJECT = ("cd", "the arguments are no JSON object")
CASES = {
    "a call": (CALL, [CD], [CD]),
    "two calls": (CALL + "\n" + CALL, [CD, CD], [CD, CD]),
    "after thinking": (f"<think>Well.</think>\n{CALL}", [CD], [CD]),
    "thinking that began in the prompt": (f"Well.</think>\n{CALL}", [CD], [CD]),
    "in thinking only": (f"<think>{CALL}</think>No.", [], []),
    "thinking without an end": (f"<think>{CALL}", [], []),
    "another way of writing": (
        "<tool_call>{'name': 'cd', 'arguments': {'folder': 'a',}}</tool_call>",
        [CD],
        [],
    ),
    "without its end": (CALL.removesuffix("</tool_call>"), [CD], [CD]),
    "one of two is broken": (CALL + "<tool_call>{</tool_call>", [], []),
    "arguments that are no object": (CALL.replace('{"folder": "a"}', "[]"), [], [NOT_AN_OBJECT]),
    "a tool that is not offered": (CALL.replace("cd", "ls"), [], [("ls", {"folder": "a"})]),
    "prose": ("I call cd.", [], []),
}


@pytest.mark.parametrize(("text", "recovery", "hermes"), CASES.values(), ids=CASES)
def test_calls(text: str, recovery: list[object], hermes: list[object]) -> None:
    assert calls(text, "recovery") == recovery
    assert calls(text, "hermes") == hermes


@pytest.mark.parametrize("parser", ["recovery", "hermes"])
def test_thinking_and_text_are_kept_apart(parser: Parser) -> None:
    message = read_answer(f"<think>Well.</think>So:{CALL}", TOOLS, str, 0, parser)
    assert message.text == "So:"
    [reasoning] = [part for part in message.content if isinstance(part, ContentReasoning)]
    assert (reasoning.reasoning, reasoning.internal) == ("Well.", "reasoning_content")


def test_without_tools_the_text_stays() -> None:
    assert read_answer(CALL, [], str, 0, "recovery").text == CALL


@given(
    st.text() | st.lists(st.sampled_from(["<think>", "</think>", "<tool_call>", CALL, "{", "}"])).map("".join)
)
def test_whatever_is_written_is_read(text: str) -> None:
    for parser in ("recovery", "hermes"):
        message = read_answer(text, TOOLS, str, 0, parser)
        json.dumps([call.arguments for call in message.tool_calls or []])
        assert isinstance(message.text, str)


def test_what_sets_out_to_be_a_call_is_known() -> None:
    assert all(map(sets_out_to_call, ("<tool_call>{", "x </tool_call>", "[TOOL_CALLS]", "<function=cd>")))
    assert not any(map(sets_out_to_call, ("", "Done.", "{'a': 1}", "call the tool")))
