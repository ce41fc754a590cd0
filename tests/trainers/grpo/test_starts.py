"""Which rows begin rollouts, and what is said of the others."""

import pytest

from kate_eval.errors import TrainingError
from kate_eval.trainers.grpo.parameters import Shown
from kate_eval.trainers.grpo.starts import choose_starts, require_starts
from kate_eval.trainers.rollout import Bounds
from kate_eval.trainers.row import Row
from tests.trainers.rollout.playing import Characters, gold_row

ENTRY = "multi_turn_base_0"
WIDE = Bounds(context_tokens=10**6)
TOLD = {"role": "user", "content": "With knowledge."}


def known(row: Row) -> Row:
    """The row with knowledge in its last message."""
    return row.model_copy(update={"messages": (*row.messages[:-1], TOLD), "knowledge": ("item",)})


ROWS = [gold_row(ENTRY), *(known(gold_row(ENTRY, turn)) for turn in (1, 2))]
ROWS += [gold_row(ENTRY, 3).model_copy(update={"id": f"{ENTRY}/3/1/step", "step": 1})]


def test_a_turn_begins_at_its_first_step() -> None:
    starts = choose_starts(ROWS, "turn", "any", Characters(), WIDE)
    assert [row.turn for row in starts.rows] == [0, 1, 2]
    assert starts.left_out == {"it is not the first step of its turn": 1}
    assert starts.prompt_tokens == max(len(Characters().prompt_ids(r.messages, r.tools)) for r in ROWS[:3])


def test_each_step_is_one_to_compare() -> None:
    assert len(choose_starts(ROWS, "step", "any", Characters(), WIDE).rows) == 4


def test_an_episode_is_told_what_its_later_rows_say() -> None:
    starts = choose_starts(ROWS, "episode", "any", Characters(), WIDE)
    assert [row.id for row in starts.rows] == [ROWS[0].id]
    assert starts.follow_ups == {ROWS[0].id: {1: [TOLD], 2: [TOLD]}}


@pytest.mark.parametrize(("shown", "turns"), [("with", [1, 2]), ("without", [0])])
def test_knowledge_on_or_off(shown: Shown, turns: list[int]) -> None:
    starts = choose_starts(ROWS, "turn", shown, Characters(), WIDE)
    assert [row.turn for row in starts.rows] == turns


def test_prompts_that_leave_no_room_are_left_out_and_counted() -> None:
    starts = choose_starts(ROWS, "turn", "any", Characters(), Bounds(context_tokens=1200))
    assert "no room for an answer of 1024 in 1200 tokens" in str(starts)
    with pytest.raises(TrainingError, match=r"No row can begin a rollout of one turn: 0 rows.*--reward"):
        require_starts(starts, "turn")


def test_held_out_rows_are_thinned_evenly() -> None:
    starts = choose_starts(ROWS, "step", "any", Characters(), WIDE)
    assert [row.turn for row in starts.thinned(2).rows] == [0, 2]
    assert len(starts.thinned(9).rows) == 4 and not starts.thinned(0).rows
