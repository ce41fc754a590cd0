"""One rollout in BFCL's real environment: where it begins, how it goes on, and how it ends."""

import pytest

from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.errors import TrainingError
from kate_eval.knowledge.item import Origin
from kate_eval.trainers.rollout import Bounds, Rollout, open_start
from kate_eval.trainers.rollout.start import unfit
from tests.conftest import now
from tests.trainers.rollout.playing import Characters, gold_row, play, sampled, written

ENTRY = "multi_turn_base_0"
GOLD = multi_turn_gold(load_entry(ENTRY))
WIDE = Bounds(context_tokens=10**6, completion_tokens=10**6, answer_tokens=10**6)


@pytest.mark.parametrize("turn", range(len(GOLD)))
def test_a_turn_begins_in_gold_s_state(turn: int) -> None:
    played = play(gold_row(ENTRY, turn), [*map(written, GOLD[turn]), "Done."])
    assert played.reward.value == 1 and played.findings.gold == tuple(GOLD[turn])
    assert [message["role"] for message in played.messages][-1] == "assistant"


def test_an_episode_has_the_user_s_later_turns() -> None:
    texts = [text for calls in GOLD for text in [*map(written, calls), "Done."]]
    played = play(gold_row(ENTRY), texts, "episode")
    asked = [message["content"] for message in played.messages if message["role"] == "user"]
    assert asked == [turn[0]["content"] for turn in load_entry(ENTRY).turns[1:]]
    assert played.reward.value == 1 and played.steps == len(texts)


def test_an_episode_that_goes_wrong_is_rejected() -> None:
    assert play(gold_row(ENTRY), ["I can't."] * len(GOLD), "episode").reward.value == 0


def test_later_turns_may_be_told_otherwise() -> None:
    row = gold_row(ENTRY)
    told = {1: [{"role": "user", "content": "With knowledge."}]}
    rollout = Rollout(now(open_start(row, "episode", WIDE, told)), Characters(), WIDE)
    now(rollout.take(sampled("Done.")))
    assert "With knowledge." in "".join(map(chr, [i for i in rollout.ids if i < 0x110000]))
    now(rollout.close())


def test_a_step_is_compared_and_not_played() -> None:
    row = gold_row(ENTRY)
    played = play(row, [written(GOLD[0][0])], "step_exact")
    assert played.reward.value == 1 and len(played.messages) == 1
    assert play(row, [written(GOLD[0][1])], "step_exact").reward.value == 0
    assert play(row, ["<tool_call>{"], "step_partial").reward.value == 0


def test_calls_as_text_are_read_as_the_benchmark_does() -> None:
    completion = {"role": "assistant", "content": "[cd(folder='document')]"}
    row = gold_row(ENTRY).model_copy(update={"mode": "prompt", "completion": completion, "tools": ()})
    assert play(row, ["[cd(folder = 'document')]"], "step_exact").reward.value == 1
    assert play(row, ["[cd(folder='other')]"], "step_exact").reward.value == 0


def test_more_than_21_steps_are_the_model_s_doing() -> None:
    played = play(gold_row(ENTRY), ['<tool_call>{"name": "ls", "arguments": {}}</tool_call>'] * 30)
    assert (played.steps, played.truncated) == (21, "") and played.reward.value == 0
    assert played.segments[0].mask[-1] == 1


BOUNDS = {
    "steps": ({"max_answers": 2}, "2 answers", 2),
    "an answer": ({"answer_tokens": 20}, "an answer was cut off", 1),
    "all answers": ({"completion_tokens": 250}, "an answer was cut off", 3),
}


@pytest.mark.parametrize(("bound", "why", "steps"), BOUNDS.values(), ids=BOUNDS)
def test_what_a_bound_ends_is_truncated(bound: dict[str, int], why: str, steps: int) -> None:
    bounds = WIDE.model_copy(update=bound)
    played = play(gold_row(ENTRY), [*map(written, GOLD[0]), "Done."], bounds=bounds)
    assert (played.truncated, played.steps) == (why, steps)
    assert played.reward.value < 1
    assert sum(len(segment.completion_ids) for segment in played.segments) <= bounds.completion_tokens


def test_no_room_for_another_answer() -> None:
    row = gold_row(ENTRY)
    first = written(GOLD[0][0])
    bounds = WIDE.model_copy(update={"completion_tokens": len(first) + 2})
    played = play(row, [first, "Done."], bounds=bounds)
    assert (played.truncated, played.steps) == ("no room for another answer", 1)


def test_a_rollout_that_is_over_takes_nothing() -> None:
    rollout = Rollout(now(open_start(gold_row(ENTRY), "step", WIDE)), Characters(), WIDE)
    now(rollout.take(sampled("Done.")))
    with pytest.raises(TrainingError, match="the rollout is over"):
        now(rollout.take(sampled("Done.")))


UNFIT = {
    "another benchmark": ({"benchmark": "mine"}, "turn", "no environment of 'mine'"),
    "a choice among candidates": ({"kind": "aggregation"}, "step", "kind aggregation"),
    "a later step": ({"step": 1}, "turn", "not the first step"),
    "a later turn": ({}, "episode", "not the first turn"),
    "a run's later turn": ({"origin": Origin(kind="run")}, "turn", "only gold's state"),
    "AppWorld's turn": ({"benchmark": "appworld", "turn": 0}, "turn", "--reward episode"),
}


@pytest.mark.parametrize(("fields", "level", "why"), UNFIT.values(), ids=UNFIT)
def test_rows_that_are_no_start(fields: dict[str, object], level: str, why: str) -> None:
    row = gold_row(ENTRY, 1).model_copy(update=fields)
    assert level in ("step", "turn", "episode")
    assert why in (unfit(row, level) or "")
    with pytest.raises(TrainingError, match=row.id):
        now(open_start(row, level, WIDE))


MISFIT = {
    "another question": ({"messages": ({"role": "user", "content": "Hello"},)}, "question of its turn"),
    "other tools": ({"tools": ()}, "tools are not those"),
    "a turn too many": ({"turn": 9}, "the entry has 4 turns"),
    "an unknown entry": ({"entry": "multi_turn_base_999"}, "no entry 'multi_turn_base_999'"),
}


@pytest.mark.parametrize(("fields", "why"), MISFIT.values(), ids=MISFIT)
def test_rows_of_other_data(fields: dict[str, object], why: str) -> None:
    row = gold_row(ENTRY).model_copy(update=fields)
    with pytest.raises(TrainingError, match=f"Row {ENTRY}/0/0/step.*{why}"):
        now(open_start(row, "turn", WIDE))
