"""Aggregation rows: the critic's own request, distinct candidates, and an answer that is read as gold."""

import json
from functools import cache

from kate_eval.bfcl.data import load, load_entry
from kate_eval.episode import Call
from kate_eval.solvers.critic import read_answer
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.aggregation import corrupted_row
from kate_eval.trainers.rows.bfcl import play_entry
from kate_eval.trainers.rows.corruption import KINDS, Corruptions
from kate_eval.trainers.rows.decode import row_calls
from kate_eval.trainers.rows.play import SENTENCES, Played
from kate_eval.trainers.rows.source import Injection
from kate_eval.trainers.rows.written import moments, step_row
from tests.conftest import now

FIRST = list(load(["multi_turn_base"], "train"))[:10]
SOME = [*(entry.id for entry in FIRST), "multi_turn_long_context_38"]


@cache
def all_played() -> tuple[Played, ...]:
    return tuple(now(play_entry(load_entry(one), "fc", Injection())) for one in SOME)


def pairs(width: int = 4, seed: int = 0) -> list[tuple[Row, Row | None]]:
    """Each step's row with its choice."""
    corruptions = Corruptions(all_played())
    found = []
    for one in all_played():
        texts = {(one.entry, t.index, n): "Because." for t in one.turns for n in range(len(t.steps))}
        for moment in moments(one, texts):
            row = step_row(moment, "teacher")
            found.append((row, corrupted_row(row, moment, width, corruptions, seed)))
    return found


def candidates(row: Row) -> list[dict[str, object]]:
    """As the request shows them."""
    text = str(row.messages[-1]["content"]).partition("Candidates for the next step:\n")[2]
    lines = text.partition("\n\n")[0].splitlines()
    return [json.loads(line.partition(". ")[2]) for line in lines]


def shown(calls: tuple[Call, ...]) -> object:
    return {"calls": [{"name": call.name, "arguments": call.arguments} for call in calls]}


def test_the_request_is_the_critic_s_and_the_answer_is_gold() -> None:
    for row, choice in pairs():
        if choice is None:
            assert len(row_calls(row)) > 1  # a turn of 34 calls: two at once are no one step
            continue
        assert choice.kind == "aggregation" and not choice.tools
        assert choice.messages[:-1] == row.messages and choice.messages[-1]["role"] == "user"
        assert "One step is exactly one call." in choice.messages[-1]["content"]
        answer = read_answer(choice.completion["content"])
        assert tuple(Call(c.name, c.arguments) for c in answer.calls) == row_calls(row)
        assert answer.reply == ("" if row_calls(row) else row.completion["content"])
        assert answer.plan == ("Because." if row_calls(row) else "")
        assert (choice.cluster, choice.turn, choice.step) == (row.cluster, row.turn, row.step)


def test_gold_is_one_of_the_candidates_which_are_distinct_and_named_in_the_id() -> None:
    places = set()
    kinds = set()
    for row, choice in pairs():
        if choice is None:
            continue
        listed = candidates(choice)
        named = choice.id.rpartition("corrupted:")[2].split("+")
        assert 2 <= len(listed) == len(named) <= 4 and named.count("gold") == 1
        assert len({json.dumps(one, sort_keys=True) for one in listed}) == len(listed)
        gold = shown(row_calls(row)) if row_calls(row) else {"reply": row.completion["content"]}
        assert listed[named.index("gold")] == gold and listed.count(gold) == 1
        places.add(named.index("gold"))
        kinds.update(named)
    assert places == {0, 1, 2, 3} and kinds == {"gold", *KINDS}


def test_the_draw_is_the_seed_s() -> None:
    one, again, other = pairs(seed=1), pairs(seed=1), pairs(seed=2)
    assert one == again != other
    assert all(len(candidates(choice)) == 2 for _, choice in pairs(width=2) if choice is not None)


def test_wrong_values_come_from_the_played_entries_alone() -> None:
    """No value of the test half is shown, not even as a mistake."""
    corruptions = Corruptions(all_played())
    [pool] = [pool for (category, _), pool in corruptions.pools.items() if category == "multi_turn_base"]
    held = {call.key for one in all_played() for t in one.turns for s in t.steps for call in s.calls}
    assert {call.key for calls in pool.calls.values() for call in calls} <= held


def test_a_reply_that_asks_is_a_choice_too() -> None:
    played = now(play_entry(load_entry("multi_turn_miss_param_0"), "prompt", Injection()))
    corruptions = Corruptions([played])
    asking = [m for m in moments(played, {}) if m.turn.need]
    assert asking
    for moment in asking:
        choice = corrupted_row(step_row(moment, ""), moment, 3, corruptions, 0)
        assert choice is not None and choice.mode == "prompt"
        assert read_answer(choice.completion["content"]).reply == SENTENCES["information"]
