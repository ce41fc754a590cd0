"""Rewards of one step, as tables of examples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kate_eval.appworld.decode import code_block
from kate_eval.episode import Call
from kate_eval.trainers.rewards import Findings
from kate_eval.trainers.rewards.step import likeness, recall, step_exact, step_partial

LS, CD = Call("ls", {}), Call("cd", {"folder": "docs"})
MV = Call("mv", {"source": "a", "destination": "b"})

EXACT = {
    "the call": ([MV], [MV], 1),
    "arguments in another order": ([MV], [Call("mv", {"destination": "b", "source": "a"})], 1),
    "another value": ([MV], [Call("mv", {"source": "a", "destination": "c"})], 0),
    "another name": ([LS], [Call("ll", {})], 0),
    "an argument too many": ([LS], [Call("ls", {"a": True})], 0),
    "nothing": ([LS], [], 0),
    "one call too many": ([LS], [LS, CD], 0),
    "two calls": ([LS, CD], [LS, CD], 1),
    "two calls in another order": ([LS, CD], [CD, LS], 0),
    "an integer for a float": ([Call("f", {"x": 1.0})], [Call("f", {"x": 1})], 0),
    "the same code": ([code_block("x = 1  # one")], [code_block("x=1")], 1),
    "other code": ([code_block("x = 1")], [code_block("x = 2")], 0),
    "a reply": ([], [], 1),
    "a call instead of a reply": ([], [LS], 0),
}


@pytest.mark.parametrize(("gold", "calls", "value"), EXACT.values(), ids=EXACT)
def test_step_exact(gold: list[Call], calls: list[Call], value: float) -> None:
    assert step_exact(Findings(tuple(gold), tuple(calls), reply="Done.")).value == value


PARTIAL = {
    "the call": ([MV], [MV], 1.0),
    "one value of two": ([MV], [Call("mv", {"source": "a", "destination": "c"})], 0.8),
    "one argument of two": ([MV], [Call("mv", {"source": "a"})], 0.7),
    "its name": ([MV], [Call("mv", {})], 0.4),
    "its name and other arguments": ([MV], [Call("mv", {"x": 1, "y": 2})], 0.4),
    "another name": ([MV], [Call("cp", dict(MV.arguments))], 0.0),
    "nothing": ([MV], [], 0.0),
    "the call and another": ([MV], [MV, LS], 0.5),
    "one of two": ([LS, CD], [CD], 0.5),
    "the likest counts": ([CD], [Call("cd", {"folder": "x"}), CD], 0.5),
    "other code": ([code_block("x = 1")], [code_block("x = 2")], 0.0),
    "a reply": ([], [], 1.0),
    "a call instead of a reply": ([], [LS], 0.0),
}


@pytest.mark.parametrize(("gold", "calls", "value"), PARTIAL.values(), ids=PARTIAL)
def test_step_partial(gold: list[Call], calls: list[Call], value: float) -> None:
    assert step_partial(Findings(tuple(gold), tuple(calls), reply="Done.")).value == pytest.approx(value)


@pytest.mark.parametrize("reward", [step_exact, step_partial])
@pytest.mark.parametrize("gold", [(), (LS,)])
def test_what_cannot_be_read_is_worth_nothing(reward: object, gold: tuple[Call, ...]) -> None:
    found = Findings(gold, gold, reply="<tool_call>{", unreadable=True)
    assert callable(reward) and reward(found).value == 0


@pytest.mark.parametrize("reward", [step_exact, step_partial])
def test_silence_is_no_reply(reward: object) -> None:
    assert callable(reward) and reward(Findings((), (), reply=" \n")).value == 0


RECALL = {
    "all": ([LS, CD], [CD, LS], 1.0),
    "half": ([LS, CD], [LS, LS], 0.5),
    "twice needs two": ([LS, LS], [LS], 0.5),
    "none": ([LS], [CD], 0.0),
    "of nothing": ([], [LS], 1.0),
}


@pytest.mark.parametrize(("gold", "calls", "value"), RECALL.values(), ids=RECALL)
def test_recall(gold: list[Call], calls: list[Call], value: float) -> None:
    assert recall(gold, calls) == value


CALLS = st.builds(
    Call,
    st.sampled_from(["a", "b"]),
    st.dictionaries(st.sampled_from(["x", "y", "z"]), st.integers(0, 2) | st.text(max_size=2)),
)


@given(CALLS, CALLS)
def test_only_equal_calls_are_wholly_alike(gold: Call, call: Call) -> None:
    assert 0 <= likeness(gold, call) <= 1
    assert (likeness(gold, call) == 1) == (gold.key == call.key)


@given(st.lists(CALLS, max_size=4), st.lists(CALLS, max_size=4), CALLS)
def test_more_calls_than_gold_never_gain(gold: list[Call], calls: list[Call], more: Call) -> None:
    exact = step_partial(Findings(tuple(gold), tuple(gold), reply="Done.")).value
    assert exact == pytest.approx(1)
    assert step_partial(Findings(tuple(gold), (*gold, more))).value < exact
    assert step_partial(Findings(tuple(gold), tuple(calls))).value <= exact
