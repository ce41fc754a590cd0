"""A row is the body of the request that an eval sends: compared with real evals through kate/."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from inspect_ai.log import EvalLog
from inspect_ai.solver import Solver

from kate_eval.bfcl.data import load_entry
from kate_eval.solvers.kate import baseline, knowledge
from kate_eval.tasks.appworld import appworld
from kate_eval.tasks.bfcl import bfcl
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.appworld import gold as appworld_gold
from kate_eval.trainers.rows.bfcl import play_entry
from kate_eval.trainers.rows.knowledge import Augmentation, Augmenter
from kate_eval.trainers.rows.play import Played
from kate_eval.trainers.rows.source import Injection
from kate_eval.trainers.rows.written import moments, step_row
from tests.conftest import now
from tests.endpoints.openai.server import Reply, kate, said, serving

Run = Callable[..., EvalLog]


@pytest.fixture(autouse=True)
def _no_preflight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its requests are no sample's."""
    monkeypatch.setenv("KATE_EVAL_PREFLIGHT", "false")


EVERYTHING = Augmentation(forms=("trajectory",), dropout=0.0, irrelevant=0.0)


def texts_of(played: Played) -> dict[Any, str]:
    """A teacher's text for every step."""
    return {
        (played.entry, turn.index, number): f"Thought {turn.index}.{number}, né \u2028 it."
        for turn in played.turns
        for number in range(len(turn.steps))
    }


def rows_of(played: Played, taught: bool) -> list[Row]:
    return [step_row(moment, "") for moment in moments(played, texts_of(played) if taught else {})]


def answering(rows: list[Row]) -> Callable[[dict[str, Any], int], Reply]:
    """A server that answers each request with the completion of its row."""

    def answer(request: dict[str, Any], number: int) -> Reply:
        row = rows[min(number, len(rows)) - 1]
        message = {key: value for key, value in row.completion.items() if key not in ("role", "content")}
        return said(str(row.completion["content"]), **message)

    return answer


def compare(run: Run, task: Any, rows: list[Row], entry: str, solver: Solver) -> None:
    """Play the entry by its rows, and compare each request with its row."""
    with serving(answering(rows)) as server:
        log = run(task, kate(server.url), solver, sample_id=entry)
    assert log.status == "success" and log.samples and log.samples[0].error is None
    assert len(server.requests) == len(rows)
    for row, request in zip(rows, server.requests, strict=True):
        assert list(row.messages) == request["messages"]
        assert list(row.tools) == request.get("tools", [])
    [verdict] = [score for name, score in (log.samples[0].scores or {}).items() if name.endswith("verdict")]
    assert verdict.value in ("C", 1)


@pytest.mark.parametrize(
    ("entry", "mode", "taught"),
    [
        ("multi_turn_base_0", "fc", True),
        ("multi_turn_miss_func_2", "fc", True),
        ("multi_turn_miss_func_2", "prompt", True),
        ("multi_turn_miss_param_4", "prompt", False),
        ("multi_turn_long_context_6", "fc", False),
        ("parallel_multiple_2", "fc", True),
        ("simple_java_4", "prompt", False),
        ("simple_python_0", "fc", False),
        ("irrelevance_0", "fc", True),
    ],
)
def test_rows_are_what_an_eval_sends(run: Run, entry: str, mode: str, taught: bool) -> None:
    found = load_entry(entry)
    rows = rows_of(now(play_entry(found, mode, Injection())), taught)  # type: ignore[arg-type]
    compare(run, bfcl(categories=found.category, split="all", mode=mode), rows, entry, baseline())


@pytest.mark.parametrize(
    ("entry", "mode"), [("multi_turn_miss_func_1", "fc"), ("multi_turn_base_3", "prompt")]
)
def test_rows_with_knowledge_are_what_an_eval_with_knowledge_sends(run: Run, entry: str, mode: str) -> None:
    """Of a test entry: an eval refuses to play one that the bank was made from."""
    found = load_entry(entry)
    augmenter = Augmenter(EVERYTHING, "bfcl")
    rows = rows_of(now(play_entry(found, mode, Injection(augmenter.injector))), True)  # type: ignore[arg-type]
    assert rows[-1].knowledge and any("earlier cases" in str(m["content"]) for m in rows[-1].messages)
    assert set(rows[0].knowledge) < set(rows[-1].knowledge)
    compare(run, bfcl(categories=found.category, mode=mode), rows, entry, knowledge())


@pytest.mark.xdist_group("rows-appworld")
@pytest.mark.parametrize("split", ["mini_train", "mini_test"])
def test_appworld_s_rows_are_what_an_eval_sends(run: Run, split: str) -> None:
    """The real engine answers in both. The test task gets knowledge of the training tasks."""
    shown = split == "mini_test"
    gold = appworld_gold(split, (), "code", limit=1)
    augmenter = Augmenter(EVERYTHING.model_copy(update={"threshold": 0.0}), "appworld-mini")

    async def play() -> Played:
        return await gold.play(gold.entries[0], Injection(augmenter.injector) if shown else Injection())

    rows = rows_of(anyio.run(play), True)
    assert bool(rows[0].knowledge) is shown and all(row.mode == "code" for row in rows)
    solver = knowledge(threshold=0.0) if shown else baseline()
    compare(run, appworld(split=split), rows, gold.entries[0], solver)
