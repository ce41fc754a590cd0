"""The data as pinned: counts, gold that parses, and the list of gold that no honest answer passes."""

import json
from collections import Counter
from typing import Any

import pytest

from kate_eval.bfcl.categories import CATEGORIES, MULTI_TURN, has_gold
from kate_eval.bfcl.checker import check
from kate_eval.bfcl.data import BROKEN_GOLD, Entry, load, load_category
from kate_eval.bfcl.gold import multi_turn_gold, parse_call, single_turn_gold
from kate_eval.errors import DatasetError

COUNTS = {
    "simple_python": 400,
    "simple_java": 100,
    "simple_javascript": 50,
    "multiple": 200,
    "parallel": 200,
    "parallel_multiple": 200,
    "irrelevance": 240,
    "live_simple": 258,
    "live_multiple": 1053,
    "live_parallel": 16,
    "live_parallel_multiple": 24,
    "live_irrelevance": 884,
    "live_relevance": 16,
    "multi_turn_base": 200,
    "multi_turn_miss_func": 200,
    "multi_turn_miss_param": 200,
    "multi_turn_long_context": 200,
}
TURNS = {
    "multi_turn_base": 734,
    "multi_turn_miss_func": 934,
    "multi_turn_miss_param": 934,
    "multi_turn_long_context": 734,
}


def gold_result(entry: Entry) -> list[Any]:
    """The gold answer as a function-calling result file holds it."""
    if entry.multi_turn:
        turns = multi_turn_gold(entry)
        return [[[{call.name: json.dumps(call.arguments)}] for call in calls] for calls in turns]
    return [{call.name.replace(".", "_"): json.dumps(call.arguments)} for call in single_turn_gold(entry)]


def uses_a_function_before_it_is_offered(entry: Entry) -> bool:
    calls = [(turn, call.name) for turn, calls in enumerate(multi_turn_gold(entry)) for call in calls]
    held_out = {doc["name"]: turn for turn, docs in entry.held_out.items() for doc in docs}
    return any(turn < held_out.get(name, 0) for turn, name in calls)


def test_every_category_has_its_entries() -> None:
    assert Counter(entry.category for entry in load(CATEGORIES)) == COUNTS
    assert sum(COUNTS.values()) == 4441


def test_ids_are_unique() -> None:
    assert len({entry.id for entry in load(CATEGORIES)}) == 4441


@pytest.mark.parametrize("category", MULTI_TURN)
def test_every_turn_has_its_gold(category: str) -> None:
    entries = load_category(category)
    assert sum(len(entry.turns) for entry in entries) == TURNS[category]
    assert all(len(entry.gold) == len(entry.turns) for entry in entries)


def test_all_multi_turn_gold_parses() -> None:
    calls = [call for entry in load(MULTI_TURN) for turn in multi_turn_gold(entry) for call in turn]
    assert len(calls) == 4625


def test_all_single_turn_gold_parses() -> None:
    entries = [entry for entry in load(CATEGORIES) if entry.gold and not entry.multi_turn]
    assert len(entries) == 2501
    assert all(single_turn_gold(entry) for entry in entries)


def test_the_list_of_broken_gold_is_what_the_checkers_say() -> None:
    with_gold = [entry for entry in load(CATEGORIES) if has_gold(entry.category)]
    rejected = {entry.id for entry in with_gold if not check(entry, gold_result(entry), "fc").correct}
    too_early = {entry.id for entry in load(MULTI_TURN) if uses_a_function_before_it_is_offered(entry)}
    assert rejected | too_early == BROKEN_GOLD


@pytest.mark.parametrize(
    "text", ["f(", "f", "f(x)", "f(**{'a': 1})", "a.f()", "f()()", "f(1)", "__import__('os')"]
)
def test_gold_that_is_no_plain_call_with_literals_is_refused(text: str) -> None:
    with pytest.raises(DatasetError, match="Can't parse the gold call"):
        parse_call(text, {})


def test_positional_gold_arguments_get_their_documented_names() -> None:
    call = parse_call("f('a', 2, z=3)", {"f": ["x", "y", "z"]})
    assert call.arguments == {"x": "a", "y": 2, "z": 3}
