"""Gold as rows: no call is lost on the way to the file and back, and every turn ends as it should."""

from collections import Counter
from pathlib import Path

import pytest

from kate_eval.bfcl.categories import GROUPS, MULTI_TURN
from kate_eval.bfcl.data import Entry, load, load_entry
from kate_eval.bfcl.gold import multi_turn_gold, single_turn_gold
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.episode import Call
from kate_eval.errors import ConfigurationError, RowsError
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.bfcl import gold, play_entry, script_of
from kate_eval.trainers.rows.decode import row_calls
from kate_eval.trainers.rows.folder import load_rows, save_rows, writing
from kate_eval.trainers.rows.play import SENTENCES, Script, play
from kate_eval.trainers.rows.source import Injection
from kate_eval.trainers.rows.split import split_rows
from kate_eval.trainers.rows.written import moments, step_row
from tests.conftest import now
from tests.trainers.rows.making import CARD

GOLD_CALLS = {
    "multi_turn_base": 583,
    "multi_turn_miss_func": 581,
    "multi_turn_miss_param": 581,
    "multi_turn_long_context": 643,
}
"""Of the training half of bfcl-eval 2026.3.23: 2,388 in all."""


def rows_of(entry: Entry, mode: str) -> list[Row]:
    played = now(play_entry(entry, mode, Injection()))  # type: ignore[arg-type]
    return [step_row(moment, "") for moment in moments(played, {})]


def keys(calls: list[Call]) -> list[str]:
    return [call.key for call in calls]


PLAYED = [pytest.param(category, "fc") for category in MULTI_TURN] + [
    pytest.param(category, "prompt", marks=[pytest.mark.slow] if category != MULTI_TURN[0] else [])
    for category in MULTI_TURN
]


@pytest.mark.parametrize(("category", "mode"), PLAYED)
def test_every_gold_call_parses_to_itself(category: str, mode: str, tmp_path: Path) -> None:
    """Entry -> rows -> file -> rows -> calls: all of the training half's multi-turn gold calls."""
    entries = list(load([category], "train"))
    made = [row for entry in entries for row in rows_of(entry, mode)]
    with writing(tmp_path):
        save_rows(tmp_path, *split_rows(made, 0.1, 0), CARD)
    held = load_rows(tmp_path)
    assert held.train and held.held_out
    found: dict[tuple[str, int], list[Call]] = {}
    for row in sorted([*held.train, *held.held_out], key=lambda row: (row.entry, row.turn, row.step)):
        found.setdefault((row.entry, row.turn), []).extend(row_calls(row))
        assert mode == "prompt" or row.calls == row_calls(row)
    total = 0
    for entry in entries:
        for turn, calls in enumerate(multi_turn_gold(entry)):
            assert keys(found[entry.id, turn]) == keys(calls)
            total += len(calls)
    assert total == sum(map(len, found.values())) == GOLD_CALLS[category]


@pytest.mark.parametrize("mode", ["fc", "prompt"])
def test_single_turn_gold_parses_to_itself(mode: str) -> None:
    """A few entries of each category; Java and JavaScript are read in their own syntax."""
    for category in GROUPS["non_live"] + GROUPS["live"][:4]:
        for entry in list(load([category], "train"))[:8]:
            if entry.broken_gold:
                continue
            [row] = rows_of(entry, mode)
            wanted = single_turn_gold(entry) if entry.gold else []
            names = [call.name.replace(".", "_") if mode == "fc" else call.name for call in wanted]
            assert [call.name for call in row_calls(row)] == names
            assert [call.arguments for call in row_calls(row)] == [call.arguments for call in wanted]


def test_one_call_a_step_unless_a_turn_would_not_fit() -> None:
    sizes: Counter[int] = Counter()
    for entry in load(MULTI_TURN, "train"):
        for turn in script_of(entry).turns:
            assert len(turn) <= 20
            sizes.update(len(step) for step in turn)
    assert sizes == {1: 2388 - 68, 2: 34}  # two turns of 34 calls


def test_a_turn_that_lacks_something_ends_with_a_sentence_that_asks_for_it() -> None:
    def last_words(entry_id: str) -> list[str]:
        last = {row.turn: row for row in rows_of(load_entry(entry_id), "fc")}
        assert not any(row_calls(row) for row in last.values())
        return [str(row.completion["content"]) for row in last.values()]

    done, information, function = (SENTENCES[need] for need in ("", "information", "function"))
    assert last_words("multi_turn_base_0") == [done] * 4
    words = last_words("multi_turn_miss_param_2")
    assert Counter(words) == {done: len(words) - 1, information: 1}
    entry = load_entry("multi_turn_miss_func_2")
    [offered] = entry.held_out
    assert last_words(entry.id)[offered - 1] == function
    assert Counter(last_words(entry.id))[function] == 1
    assert last_words("irrelevance_0") == [function]


def test_the_function_that_is_held_out_is_offered_when_its_turn_comes() -> None:
    entry = load_entry("multi_turn_miss_func_2")
    [(offered, docs)] = entry.held_out.items()
    names = {str(doc["name"]) for doc in docs}
    for row in rows_of(entry, "fc"):
        tools = {tool["function"]["name"] for tool in row.tools}
        assert (names <= tools) is (row.turn >= offered)


def test_gold_that_can_t_be_played_is_an_error() -> None:
    entry = load_entry("multi_turn_base_0")

    def refused(script: Script, reason: str) -> None:
        with pytest.raises(RowsError, match=reason):
            now(play(BfclEpisode(entry, "prompt"), script))

    good = script_of(entry)
    refused(Script(good.turns[:2], good.needs[:2]), "its gold has 2 turns, it has more")
    refused(Script([*good.turns, []], [*good.needs, ""]), "it ended after 4 of 5 turns")
    # Prompting mode can't write an empty dictionary, so such a call would not come back.
    refused(Script([[[Call("ls", {"a": {}})]], *good.turns[1:]], good.needs), "does not parse to itself")
    many = [[Call("ls", {})]] * 30
    refused(Script([many, *good.turns[1:]], good.needs), "it was over after 21 of 30 gold steps")


def test_what_is_asked_for_is_checked() -> None:
    for split, categories, mode, reason in (
        ("training", (), "fc", "Unknown split 'training'"),
        ("train", (), "json", "Unknown mode 'json'"),
        ("train", ("multi",), "fc", "Unknown category 'multi'"),
    ):
        with pytest.raises(ConfigurationError, match=reason):
            gold(split, categories, mode)
    found = gold("train", ("live_relevance", "simple_java"), "fc")
    assert "simple_java_36" not in found.entries and len(found.entries) == 48
    assert found.notes[0] == "live_relevance: it has no gold" and "simple_java_36" in found.notes[1]
