"""The reward of a turn, as a table of examples, and what else may be tried on turns of real gold."""

from collections.abc import Iterator

import pytest

from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.episode import Call
from kate_eval.trainers.rewards import Findings
from kate_eval.trainers.rewards.turn import turn_state
from tests.trainers.rewards.probes import PROBES, Turn
from tests.trainers.rollout.playing import gold_row, play, written

LS, PWD, CD = Call("ls", {}), Call("pwd", {}), Call("cd", {"folder": "docs"})

TURN = {
    "gold": ([LS, CD], [LS, CD], True, 1.0),
    "another way": ([LS, CD], [CD], True, 0.85),
    "gold and its undoing": ([LS, CD], [LS, CD, Call("cd", {"folder": ".."})], False, 0.3),
    "half of gold": ([LS, CD], [LS], False, 0.15),
    "nothing": ([LS], [], False, 0.0),
    "other calls": ([LS], [PWD], False, 0.0),
    "looking around first": ([CD], [PWD, LS, CD], True, 1.0),
    "a call again": ([CD], [CD, CD], True, 0.98),
    "as often as gold": ([CD, CD], [CD, CD], True, 1.0),
    "a flood": ([CD], [CD, *[Call("cat", {"file": n}) for n in range(50)]], True, 0.8),
    "a flood of one call": ([CD], [CD] * 50, True, 0.8),
}


@pytest.mark.parametrize(("gold", "calls", "accepted", "value"), TURN.values(), ids=TURN)
def test_turn_state(gold: list[Call], calls: list[Call], accepted: bool, value: float) -> None:
    found = turn_state(Findings(tuple(gold), tuple(calls), reply="Done.", accepted=accepted))
    assert found.value == pytest.approx(value)


EMPTY = {
    "a question": ([], "Which folder?", False, 1.0),
    "a call": ([LS], "Done.", False, 0.0),
    "silence": ([], "", False, 0.0),
    "a call that can't be read": ([], "<tool_call>{", True, 0.0),
}


@pytest.mark.parametrize(("calls", "reply", "unreadable", "value"), EMPTY.values(), ids=EMPTY)
def test_a_turn_without_gold(calls: list[Call], reply: str, unreadable: bool, value: float) -> None:
    found = Findings((), tuple(calls), reply, unreadable, accepted=True)
    assert turn_state(found).value == value


def test_no_verdict_is_an_error() -> None:
    with pytest.raises(ValueError, match="no official verdict"):
        turn_state(Findings((LS,), (LS,)))


ENTRIES = (
    "multi_turn_base_0",
    "multi_turn_miss_func_60",
    "multi_turn_miss_param_100",
    "multi_turn_long_context_150",
)
"""Of the training half, one of each category."""
NO_BETTER = {"gold undone"}
"""What state is not compared for, or no call takes back: the official check does not see it."""


def turns() -> Iterator[Turn]:
    """All turns of the entries."""
    for entry in ENTRIES:
        gold = multi_turn_gold(load_entry(entry))
        for number, calls in enumerate(gold):
            yield Turn(gold_row(entry, number), calls, gold[number - 1] if number else [])


@pytest.fixture(scope="module")
def real_turns() -> list[Turn]:
    """They are replayed once."""
    return list(turns())


def test_honest_play_has_the_whole_reward(real_turns: list[Turn]) -> None:
    for turn in real_turns:
        texts = [*map(written, turn.gold), "Done." if turn.gold else "Which one?"]
        assert play(turn.row, texts).reward.value == 1, turn.row.id


@pytest.mark.parametrize("name", PROBES)
def test_nothing_is_better_than_honest_play(name: str, real_turns: list[Turn]) -> None:
    probe = PROBES[name]
    for turn in real_turns:
        played = play(turn.row, probe(turn))
        value, calls = played.reward.value, [call.key for call in played.findings.calls]
        honest = calls == [call.key for call in turn.gold] and played.findings.only_replied | bool(calls)
        if honest:
            assert value == 1
        elif name in NO_BETTER:
            assert value <= 1
        else:
            assert value < 1, turn.row.id
