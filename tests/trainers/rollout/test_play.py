"""Many rollouts at once."""

import anyio
import pytest

from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.errors import EngineError, TrainingError
from kate_eval.trainers.rewards import Findings, Reward, Rule, find_reward
from kate_eval.trainers.rollout import Bounds, Player, Rollout
from tests.trainers.rollout.playing import Characters, Scripted, gold_row, written

ENTRY = "multi_turn_base_0"
GOLD = multi_turn_gold(load_entry(ENTRY))
ROWS = [gold_row(ENTRY, turn) for turn in range(len(GOLD))]
WIDE = Bounds(context_tokens=10**6, completion_tokens=10**6, answer_tokens=10**6)
RULE = find_reward("turn_state")


def honest(prompt: str) -> str:
    """Gold's next call of the turn that the prompt ends in."""
    asked = [turn[0]["content"] for turn in load_entry(ENTRY).turns]
    turn = max(number for number, text in enumerate(asked) if text in prompt)
    made = prompt.rpartition("<begin>user\n")[2].count("<tool_call>")
    return written(GOLD[turn][made]) if made < len(GOLD[turn]) else "Done."


@pytest.mark.parametrize("at_once", [1, 3, 64])
def test_rewards_come_in_the_rows_order(at_once: int) -> None:
    rows = [*ROWS, *ROWS[::-1]]
    policy = Scripted(lambda prompt: honest(prompt) if "temp" in prompt else "No.")
    played = anyio.run(Player(RULE, Characters(), WIDE, at_once=at_once).play, rows, policy)
    assert [p.row for p in played] == [row.id for row in rows]
    assert [p.reward.value for p in played] == [1.0] * len(rows)
    assert max(policy.batches) == min(at_once, len(rows))
    assert sum(policy.batches) == sum(p.steps for p in played)


def test_a_prompt_without_room_is_an_error() -> None:
    player = Player(RULE, Characters(), Bounds(context_tokens=100))
    with pytest.raises(
        TrainingError, match=rf"Row {ENTRY}/0/0/step: its prompt has \d+ tokens.*context_tokens is 100"
    ):
        anyio.run(player.play, ROWS[:1], Scripted(honest))


def test_a_reward_that_raises_ends_it_and_closes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    async def close(rollout: Rollout) -> None:
        closed.append(rollout.start.row.id)

    def broken(found: Findings) -> Reward:
        raise ZeroDivisionError("of mine")

    monkeypatch.setattr(Rollout, "close", close)
    player = Player(Rule("mine", "turn", broken), Characters(), WIDE)
    with pytest.raises(TrainingError, match=r"Reward mine failed on row multi_turn_base_0/./0/step.*of mine"):
        anyio.run(player.play, ROWS, Scripted(honest))
    assert {*closed} == {row.id for row in ROWS}


def test_an_environment_that_fails_names_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    from kate_eval.bfcl.play import BfclEpisode

    async def step(self: BfclEpisode, action: object) -> None:
        raise EngineError("the engine is gone")

    monkeypatch.setattr(BfclEpisode, "step", step)
    with pytest.raises(TrainingError, match=f"Row {ENTRY}/0/0/step: the engine is gone"):
        anyio.run(Player(RULE, Characters(), WIDE).play, ROWS[:1], Scripted(honest))
