"""`nearest` on code: the blocks of the most similar task with the request's values, one a step."""

import ast
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.solver import Generate, Solver, TaskState, solver

from kate_eval.appworld.data import AppTask
from kate_eval.appworld.play import AppWorldEpisode
from kate_eval.appworld.sessions import Limits, Session
from kate_eval.episode import open_episode
from kate_eval.knowledge.bank import make_bank
from kate_eval.knowledge.card import Card
from kate_eval.knowledge.item import Experience, RecordedStep
from kate_eval.solvers import nearest as module
from kate_eval.solvers.inject import Shelf
from kate_eval.solvers.nearest import SUBMIT, nearest, substitutions, transfer_code

DELETE = "apis.notes.delete_note(title='Old list', limit=3)"


class Recording(Session):
    """A session that keeps what it is asked to run; a block that submits ends the task."""

    def __init__(self, submits: Callable[[str], bool]) -> None:
        self.opened = {"contained": True}
        self.ran: list[str] = []
        self._submits = submits

    async def ask(self, seconds: float, **message: Any) -> dict[str, Any]:
        self.ran.append(message["code"])
        over = self._submits(message["code"])
        return {"output": "Execution successful.", "completed": over, "over": over, "lost": None}


@solver
def opened(session: Session, asked: str) -> Solver:
    """Open an episode on this session."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        supervisor = dict.fromkeys(("first_name", "last_name", "email", "phone_number"), "Ada")
        task = AppTask("fake_1", asked, supervisor, difficulty=1, asks=False)
        open_episode(state, AppWorldEpisode("mini", task, session, Limits(), 50, 3600, ticket=None))
        state.messages = []
        return state

    return solve


def played(
    run: Callable[..., EvalLog],
    monkeypatch: pytest.MonkeyPatch,
    codes: list[str],
    asked: str,
    submits: Callable[[str], bool] = lambda code: "complete_task" in code,
) -> list[str]:
    """The blocks that are run for a request, with one task in the bank."""
    item = Experience(
        id="a_1/0/trajectory",
        form="trajectory",
        benchmark="appworld-mini",
        sources=("a_1",),
        turn=0,
        question="Delete the first 3 notes called 'Old list'.",
        steps=tuple(RecordedStep(code=code, output="") for code in codes),
    )
    card = Card(benchmark="appworld-mini", split="mini_train", data_hash="0", engine="none", license="none")
    shelf = Shelf(make_bank([item], card))
    monkeypatch.setattr(module, "open_bank", lambda bank, forms: lambda benchmark: shelf)
    session = Recording(submits)
    task = Task([Sample(input="-", id="fake_1")], setup=opened(session, asked))
    log = run(task, "mockllm/model", nearest())
    assert log.status == "success", log.error
    return session.ran


def test_blocks_are_run_one_a_step_with_the_request_s_values(run: Any, monkeypatch: Any) -> None:
    ran = played(run, monkeypatch, [DELETE, SUBMIT], "Please delete 5 notes called 'Shopping'.")
    assert ran == ["apis.notes.delete_note(title='Shopping', limit=5)", SUBMIT]


def test_blocks_that_do_not_submit_are_followed_by_one_that_does(run: Any, monkeypatch: Any) -> None:
    assert played(run, monkeypatch, ["print(1)"], "Delete notes.") == ["print(1)", SUBMIT]


def test_without_a_similar_task_it_submits_at_once(run: Any, monkeypatch: Any) -> None:
    assert played(run, monkeypatch, [DELETE], "Xyzzy?") == [SUBMIT]


def test_it_gives_up_after_that(run: Any, monkeypatch: Any) -> None:
    ran = played(run, monkeypatch, ["print(1)"], "Delete notes.", submits=lambda code: False)
    assert ran == ["print(1)", SUBMIT]


def test_its_documentation_says_why_it_submits() -> None:
    assert "SUBMIT" in (nearest.__doc__ or "")


def test_literals_take_the_request_s_values_and_keep_their_type() -> None:
    changes = substitutions("Copy 'a.txt' to 'old', 3 times", "Please copy 'b.txt' to 'new', 7 times")
    code = "f(source='a.txt', n=3, flags=['old', True])\nprint(f'{n} of a.txt', 4)"
    assert (
        transfer_code(code, changes)
        == "f(source='b.txt', n=7, flags=['new', True])\nprint(f'{n} of a.txt', 4)"
    )
    assert transfer_code("f(3", changes) == "f(3"


@given(st.text(alphabet="fa.=()'\"[]{}:, \n13#\\", max_size=50), st.text(max_size=8))
def test_any_code_stays_code(code: str, value: str) -> None:
    changed = transfer_code(code, {"a": value, "3": value, "1": "7"})
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        assert changed == code
    else:
        ast.parse(changed)
