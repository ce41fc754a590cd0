"""A log may hold anything: there is always one cause, of a known kind, and soon."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inspect_ai.log import EvalSample

from kate_eval.bfcl.data import load_category
from kate_eval.endpoints.bfcl.script import script_of
from kate_eval.episode import OUTCOME_KEY, SAMPLE_KEY
from kate_eval.failures import KINDS, Cause, cause_of
from kate_eval.failures.cause import MAX_DETAIL
from tests.failures.played import gold_result, sample_of

ENTRIES = [load_category(category)[7].id for category in ("multi_turn_miss_func", "multi_turn_base")]
ENTRIES += [load_category(category)[7].id for category in ("parallel", "simple_javascript", "live_relevance")]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from([name for entry in ENTRIES for name in script_of(entry, "fc").docs]) | st.text(
    max_size=6
)
CALLS = st.dictionaries(NAMES, JSON.map(json.dumps) | st.text(max_size=8), min_size=1, max_size=1)
RESPONSES = st.text(max_size=12) | st.lists(CALLS, max_size=3) | st.just("[f(x=1), g()]") | st.just("[f((")


def certain(sample: EvalSample) -> Cause:
    """The cause of a failed sample, which is in order."""
    cause = cause_of(sample)
    assert cause is not None and cause.kind in KINDS
    assert cause.detail and len(cause.detail) <= MAX_DETAIL and "\n" not in cause.detail
    return cause


@given(st.sampled_from([*ENTRIES, "no_such_entry"]), JSON)
@settings(max_examples=40)
def test_an_outcome_of_any_shape_has_a_cause(entry: str, outcome: Any) -> None:
    assert certain(sample_of(entry, outcome, correct=False)).kind == "unreadable"


@given(st.sampled_from(ENTRIES), JSON, st.sampled_from(["fc", "prompt"]))
@settings(max_examples=40)
def test_a_result_of_any_shape_has_a_cause(entry: str, result: Any, mode: str) -> None:
    certain(sample_of(entry, {"result": result, "mode": mode, "over": True}, correct=False))


@given(
    st.sampled_from(ENTRIES[:2]),
    st.lists(st.lists(RESPONSES, max_size=4), max_size=6),
    st.sampled_from(["fc", "prompt"]),
)
@settings(max_examples=40)
def test_turns_of_any_calls_have_a_cause(entry: str, result: Any, mode: str) -> None:
    certain(sample_of(entry, {"result": result, "mode": mode, "over": True}, correct=False))


@given(st.sampled_from(ENTRIES[2:]), RESPONSES, st.sampled_from(["fc", "prompt"]))
@settings(max_examples=40)
def test_an_answer_of_any_calls_has_a_cause(entry: str, result: Any, mode: str) -> None:
    certain(sample_of(entry, {"result": result, "mode": mode, "over": True}, correct=False))


@given(st.dictionaries(st.sampled_from([SAMPLE_KEY, OUTCOME_KEY, "kate:appworld", "kate:failure"]), JSON))
@settings(max_examples=40)
def test_a_store_of_any_shape_has_a_cause(store: dict[str, Any]) -> None:
    certain(EvalSample(id=1, epoch=1, input="", target="", store=store))


DEEP = "[" * 50_000 + "]" * 50_000
WIDE: list[list[dict[str, str]]] = [[{"ls": '{"a": true}'}] * 400] * 20
NESTED = {"x": json.loads("[" * 300 + "]" * 300)}


@pytest.mark.parametrize(
    "turn",
    [
        [[{"cd": '{"folder": ' + DEEP + "}"}]],
        [[{"cd": json.dumps(NESTED)}]],
        [[{"cd": '{"folder": "' + "x" * 3_000_000 + '"}'}]],
        [[{"sort": '{"file_name": ' + "9" * 4000 + "}"}]],
        WIDE,
        [[{"cd": "{}"}] * 900],
        ["\ud800" * 10],
    ],
    ids=["deep", "nested", "long", "digits", "many", "looping", "surrogates"],
)
def test_what_is_large_or_odd_is_told_in_time(turn: list[Any]) -> None:
    result = [turn, *gold_result("multi_turn_base_0")[1:]]
    started = time.process_time()
    certain(sample_of("multi_turn_base_0", {"result": result, "mode": "fc", "over": True}, correct=False))
    assert time.process_time() - started < 20
