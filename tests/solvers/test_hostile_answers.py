"""Whatever a model writes becomes a candidate that can be compared, shown and logged, in bounded time."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inspect_ai.event import InfoEvent
from inspect_ai.model import ChatMessageAssistant
from inspect_ai.tool import ToolCall

from kate_eval.bfcl.categories import Mode
from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.solvers.candidate import Candidate, as_json, make_candidate, tally
from kate_eval.solvers.kate import width
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Scripted, assistant, output


def candidate(message: ChatMessageAssistant, mode: Mode, entry: str) -> Candidate:
    """The candidate of a message, compared, shown and logged as the loop does."""
    found = make_candidate(message, BfclEpisode(load_entry(entry), mode), one_call=True)
    tally([found, found])
    as_json(found.describe())
    InfoEvent(data={"candidate": found.describe()}).model_dump_json()
    return found


@pytest.mark.parametrize(
    "entry", ["multi_turn_base_1", "simple_python_1", "simple_java_1", "simple_javascript_1"]
)
@pytest.mark.parametrize(
    "text",
    [
        "[ls(a={1: 2, 'a': 3})]",
        "[ls(a=1, **{'b': 2})]",
        "[ls(a={(1, 2): 3})]",
        "[ls(a=(1, 2), b=b'x', c=1j, d=g(y=1))]",
        "[ls(a=10**4300+0)]",
        "[ls(a=10**4000)]",
        "[ls(a=[[[[0]*9999]*9999]*9999]*9999)]",
        "[ls(a=[[0]*999]*999)]",
        "[ls(a='x'*9999)]",
        "[ls(a=" + "[" * 90 + "]" * 90 + ")]",
        "[ls(a=" + "{'a': " * 60 + "1" + "}" * 60 + ")]",
        "[ls(a=1e999, b=-1e999)]",
    ],
)
def test_odd_texts_are_candidates_in_bounded_time(text: str, entry: str) -> None:
    started = time.process_time()
    candidate(assistant(text), "prompt", entry)
    assert time.process_time() - started < 2


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet="[](){}'\"=,:*+-. fxls0123456789e_\\\n", max_size=60), st.sampled_from(["fc", "prompt"])
)
def test_any_text_is_a_candidate(text: str, mode: Any) -> None:
    candidate(assistant(text), mode, "multi_turn_base_1")
    candidate(assistant(f"[ls(a={text})]"), mode, "multi_turn_base_1")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(st.text(), st.dictionaries(st.text(), _JSON))
def test_any_tool_call_is_a_candidate(name: str, arguments: dict[str, Any]) -> None:
    candidate(assistant([(name, arguments)]), "fc", "multi_turn_base_1")


def test_deep_arguments_are_a_candidate() -> None:
    value: Any = 1
    for _ in range(5000):
        value = [value]
    candidate(assistant([("ls", {"a": value})]), "fc", "multi_turn_base_1")


def test_tuples_do_not_break_a_prompting_run_with_several_candidates(run: Any) -> None:
    script = Scripted(lambda messages, config: output("[ls(a=(1, 2))]", "[pwd()]", "[ls(a={1: 2})]", "Done."))
    task = bfcl(categories="multi_turn_base", mode="prompt")
    [sample] = run(task, script.model(), width(aggregate="majority"), limit=1).samples
    assert sample.error is None and sample.scores["bfcl_verdict"].value == "I"


def test_calls_that_can_t_be_read_leave_no_unanswered_call_in_the_conversation(run: Any) -> None:
    def broken(messages: Any, config: Any) -> Any:
        found = output([("ls", {})])
        found.choices[0].message.tool_calls = [
            ToolCall(id="x", function="ls", arguments={}, parse_error="Error parsing: {a:")
        ]
        return found

    script = Scripted(broken)
    [sample] = run(bfcl(categories="multi_turn_base"), script.model(), limit=1).samples
    assert (
        sample.error is None and sample.store["kate:counters"]["parse_failures"] == len(script.requests) > 1
    )
    for messages, _, _ in script.requests:
        assert not [m for m in messages if m.role == "assistant" and m.tool_calls]
    assert "(calls that could not be read: ls)" in script.requests[-1][0][1].text
    assert sample.store["kate:outcome"]["result"][0] == [[{"ls": "Error parsing: {a:"}]]
