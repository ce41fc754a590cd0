"""Token ids of rollouts: sampled ones stay, what comes between is rendered, nothing is tokenised twice."""

import pytest

from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.trainers.rollout import Played, Segment
from tests.trainers.rollout.playing import END, Characters, decode, encode, gold_row, play, written

ENTRY = "multi_turn_base_0"
GOLD = multi_turn_gold(load_entry(ENTRY))
TEXTS = [text for calls in GOLD for text in [*map(written, calls), "Done."]]


def whole(played: Played) -> list[int]:
    """The ids of a rollout of one segment."""
    [segment] = played.segments
    return segment.ids


@pytest.mark.parametrize("reward", ["turn_state", "episode"])
def test_the_ids_are_the_rendering_of_the_conversation(reward: str) -> None:
    row = gold_row(ENTRY)
    played = play(row, TEXTS, reward)
    *before, last = played.messages
    rendering = Characters()
    prompt = rendering.prompt_ids([*row.messages, *before], row.tools)
    assert whole(played) == [*prompt, *rendering.completion_ids([], [], last)]
    assert played.reward.value == 1


def test_the_mask_is_of_what_was_sampled() -> None:
    [segment] = play(gold_row(ENTRY), TEXTS, "episode").segments
    said = [i for i, sampled in zip(segment.completion_ids, segment.mask, strict=True) if sampled]
    assert decode(said) == "".join(f"{text}<end>" for text in TEXTS)
    assert segment.logprobs == [-0.5 if sampled else 0.0 for sampled in segment.mask]
    assert segment.mask[-1] == 1 and 0 in segment.mask


def test_sampled_ids_stay_where_the_rendering_writes_them_otherwise() -> None:
    odd = '<tool_call>{"arguments": {"folder":"document"},   "name": "cd"}</tool_call>'
    played = play(gold_row(ENTRY), [odd, "Done."])
    [segment] = played.segments
    assert segment.completion_ids[: len(odd) + 1] == [*encode(odd), END]
    assert [call.text for call in played.findings.calls] == ["cd(folder='document')"]


def test_a_template_that_forgets_thinking_begins_a_segment_with_each_user_turn() -> None:
    texts = [f"<think>Well.</think>{text}" for text in TEXTS]
    played = play(gold_row(ENTRY), texts, "episode", Characters(forgets=True))
    assert played.reward.value == 1
    assert len(played.segments) == len(GOLD)
    for segment, calls in zip(played.segments, GOLD, strict=True):
        assert "Well." not in decode(segment.prompt_ids)
        assert decode(segment.completion_ids).count("Well.") == len(calls) + 1


def test_tools_that_are_added_begin_a_segment() -> None:
    entry = load_entry("multi_turn_miss_func_0")
    texts = [t for calls in multi_turn_gold(entry) for t in [*map(written, calls), "Which one?"]]
    played = play(gold_row(entry.id), texts, "episode")
    assert played.reward.value == 1 and len(played.segments) == 2
    [added] = entry.held_out.values()
    first, second = (decode(segment.prompt_ids).split("<begin>")[0].split(",") for segment in played.segments)
    assert second == [*first, *(doc["name"] for doc in added)]


def test_what_follows_the_last_answer_is_dropped() -> None:
    segment = Segment([1], [2, 3, 4, 5], [1, 0, 1, 0], [-1.0, 0.0, -2.0, 0.0])
    segment.end()
    assert (segment.completion_ids, segment.mask, segment.logprobs) == (
        [2, 3, 4],
        [1, 0, 1],
        [-1.0, 0.0, -2.0],
    )
    unsaid = Segment([1], [2], [0], None)
    unsaid.end()
    assert unsaid.completion_ids == []
