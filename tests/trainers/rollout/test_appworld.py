"""Rollouts in AppWorld's mini world (`kate appworld setup --mini`): the engine judges them."""

from collections.abc import Callable, Sequence

import anyio
import pytest
from inspect_ai.model import ChatMessageSystem, ChatMessageUser

from kate_eval.appworld import data
from kate_eval.appworld.play import prompt
from kate_eval.appworld.record import load_demonstration
from kate_eval.endpoints.openai.messages import encode_messages
from kate_eval.errors import TrainingError
from kate_eval.trainers.rewards import find_reward
from kate_eval.trainers.rollout import Bounds, Played, Player
from kate_eval.trainers.row import Row
from tests.trainers.rollout.playing import Characters, Scripted

pytestmark = pytest.mark.xdist_group("appworld-evals")
SPLIT = "mini_train"
BOUNDS = Bounds(context_tokens=10**6, completion_tokens=10**6, answer_tokens=10**6, max_answers=12)
DONE = "```python\napis.supervisor.complete_task()\n```"


@pytest.fixture(scope="module")
def task() -> str:
    """A task that is solved by changes, not by an answer."""
    return next(task.id for task in data.load(SPLIT) if not task.asks)


def task_row(task_id: str) -> Row:
    """The row that begins a task."""
    task = data.load_task("mini", task_id)
    asked = prompt("task").substitute(task.supervisor, instruction=task.instruction)
    messages = (ChatMessageSystem(content=prompt("system").template), ChatMessageUser(content=asked))
    return Row(
        id=f"{task_id}/0/0/step",
        benchmark="appworld-mini",
        entry=task_id,
        cluster=task.scenario,
        turn=0,
        step=0,
        mode="code",
        messages=tuple(encode_messages(messages)),
        completion={"role": "assistant", "content": DONE},
    )


def play(rows: Sequence[Row], answer: Callable[[str], str]) -> list[Played]:
    """Rollouts in which the answers are given by what was said so far."""
    player = Player(find_reward("episode"), Characters(), BOUNDS)
    return anyio.run(player.play, rows, Scripted(answer))


@pytest.mark.slow
def test_the_published_solution_has_the_whole_reward_and_others_less(task: str) -> None:
    solution = [f"```python\n{step['code']}\n```" for step in load_demonstration("mini", task)["steps"]]

    def honest(said: str) -> str:
        return solution[min(said.count("<begin>assistant\n") - 1, len(solution) - 1)]

    [played] = play([task_row(task)], honest)
    assert played.reward.value == 1 and played.findings.accepted and not played.truncated
    assert len(played.segments) == 1 and played.segments[0].mask[-1] == 1
    assert "Output:" in str(played.messages[1]["content"])
    probes = {"nothing": DONE, "no code": "I can't.", "failing": '```python\nraise ValueError("no")\n```'}
    for name, text in probes.items():
        [found] = play([task_row(task)], lambda said, text=text: text)  # type: ignore[misc]
        assert found.reward.value == 0, name


def test_rows_of_another_task_are_refused(task: str) -> None:
    row = task_row(task)
    other = row.model_copy(update={"messages": ({"role": "user", "content": "Something else."},)})
    with pytest.raises(TrainingError, match=f"Row {task}/0/0/step.*instruction"):
        play([other], lambda said: DONE)
    with pytest.raises(TrainingError, match="--reward episode"):
        anyio.run(
            Player(find_reward("turn_state"), Characters(), BOUNDS).play, [row], Scripted(lambda said: DONE)
        )
