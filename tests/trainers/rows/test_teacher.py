"""The teacher: what it is shown, which answers are taken, and that nothing is paid for twice."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import anyio
import pytest
from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput

from kate_eval.bfcl.data import load_entry
from kate_eval.errors import EndpointError
from kate_eval.knowledge.acquire.build import Asking
from kate_eval.knowledge.folder import JOURNAL
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.bfcl import play_entry
from kate_eval.trainers.rows.build import estimate_gold, make_gold_rows
from kate_eval.trainers.rows.decode import row_calls
from kate_eval.trainers.rows.finish import Made
from kate_eval.trainers.rows.play import SENTENCES
from kate_eval.trainers.rows.recipe import make_recipe
from kate_eval.trainers.rows.source import Injection
from kate_eval.trainers.rows.statistics import by_characters
from kate_eval.trainers.rows.teacher import REASONING, jobs
from tests.conftest import Scripted, now, output

RECIPE = make_recipe(benchmark="bfcl", categories=("multi_turn_miss_func",), limit=2)
THOUGHT = "The user wants a step that a tool at hand can take, so I take it now."
REPLY = "All of it was done as you asked, without any trouble."


def is_reasoning(text: str) -> bool:
    return "what the assistant thinks" in text


def teaching(answer: Callable[[str, int], str]) -> Scripted:
    """A teacher that answers by its prompt and the number of tries before."""

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        return output(answer(messages[0].text, len(messages) // 2))

    return Scripted(reply)


def good(text: str, tries: int = 0) -> str:
    return THOUGHT if is_reasoning(text) else REPLY


def make(folder: Path, script: Scripted, **fields: object) -> Made:
    recipe = RECIPE.model_copy(update=fields)
    asking = Asking(models={"": script.model()})
    return anyio.run(partial(make_gold_rows, recipe, folder, by_characters(), asking))


def rows(made: Made) -> Iterator[Row]:
    yield from (*made.rows.train, *made.rows.held_out)


def test_every_step_gets_reasoning_and_every_turn_a_reply(tmp_path: Path) -> None:
    made = make(tmp_path, script := teaching(good))
    every = list(rows(made))
    assert len(every) == len(script.requests)
    for row in every:
        acts = bool(row_calls(row))
        assert row.completion.get("reasoning_content") == (THOUGHT if acts else None)
        assert row.completion["content"] == ("" if acts else REPLY)
        assert row.origin.writer == "mockllm/scripted"
        # What was written stands in the conversation of the steps after it.
        said = [m for m in row.messages if m["role"] == "assistant"]
        assert all((m.get("reasoning_content") == THOUGHT) is bool(m.get("tool_calls")) for m in said)
    card = made.rows.card.teacher
    assert card and card.model == "mockllm/scripted" and not card.refused
    assert card.reasoning == made.rows.card.counts["calls"]
    assert card.replies == len(every) - card.reasoning


def test_the_teacher_sees_what_the_model_sees_and_the_step(tmp_path: Path) -> None:
    played = now(play_entry(load_entry("multi_turn_miss_func_0"), "fc", Injection()))
    asked = list(jobs(played))
    steps = [(turn, step) for turn in played.turns for step in turn.steps]
    assert len(asked) == len(steps)
    for job, (turn, step) in zip(asked, steps, strict=True):
        assert (job.form == REASONING) is bool(step.calls)
        later = [one for one in played.turns if one.index > turn.index]
        assert not any(one.query in job.prompt for one in later if one.query)
        if step.calls:
            assert step.calls[0].text in job.prompt
        if turn.need == "function":  # the gold of what is missing is not shown
            assert "None of the tools can do" in job.prompt and "Tools:" in job.prompt
            assert not any(c.text in job.prompt for one in later[:1] for s in one.steps for c in s.calls)


def test_an_answer_that_quotes_the_key_is_asked_again_with_the_reason(tmp_path: Path) -> None:
    def answer(text: str, tries: int) -> str:
        bad = is_reasoning(text) and not tries
        return "The ground truth says that this step comes next." if bad else good(text)

    made = make(tmp_path, script := teaching(answer))
    again = [messages for messages, _, _ in script.requests if len(messages) > 1]
    assert len(again) == made.rows.card.counts["calls"]
    assert all('it speaks of an answer key ("ground truth")' in messages[-1].text for messages in again)
    assert made.written and not made.written.failed
    assert not any("ground truth" in json.dumps(row.completion) for row in rows(made))


def test_what_stays_refused_goes_without_and_is_counted(tmp_path: Path) -> None:
    def answer(text: str, tries: int) -> str:
        return "Too short." if is_reasoning(text) else "```python\nprint('I do it in code')\n```"

    made = make(tmp_path, script := teaching(answer))
    every = list(rows(made))
    assert len(script.requests) == 3 * len(every)
    assert not any("reasoning_content" in row.completion or row.origin.writer for row in every)
    assert {row.completion["content"] for row in every} <= {"", *SENTENCES.values()}
    card = made.rows.card.teacher
    assert card and (card.reasoning, card.replies) == (0, 0)
    assert sum(card.refused.values()) == len(every) and "it holds code" in card.refused
    assert f"{len(every)} go without" in (tmp_path / "README.md").read_text()


def test_a_reply_that_must_ask_asks_and_none_can_be_read_as_calls(tmp_path: Path) -> None:
    def answer(text: str, tries: int) -> str:
        if is_reasoning(text):
            return THOUGHT
        return "[ls(a=True), cd(folder='x'), ls(a=True), ls(a=True)]" if not tries else f"{REPLY} Or what?"

    fields = {"categories": ("multi_turn_miss_param",), "mode": "prompt"}
    made = make(tmp_path, script := teaching(answer), **fields)
    replies = [row for row in rows(made) if not row_calls(row)]
    assert replies and all(row.completion["content"] == f"{REPLY} Or what?" for row in replies)
    reasons = {messages[-1].text for messages, _, _ in script.requests if len(messages) > 1}
    assert any("it asks no question" in reason for reason in reasons)
    assert any("writes out a call of" in reason for reason in reasons)


def test_an_interrupted_build_goes_on_and_pays_for_nothing_twice(tmp_path: Path) -> None:
    def failing(text: str, tries: int) -> str:
        if len(script.requests) > 6:
            raise RuntimeError("the endpoint is gone")
        return good(text)

    script = teaching(failing)
    with pytest.raises(EndpointError, match="run the same command again"):
        make(tmp_path, script)
    assert not (tmp_path / "card.json").exists()
    answered = len((tmp_path / JOURNAL).read_text().splitlines())
    assert 0 < answered <= 6
    cost = anyio.run(estimate_gold, RECIPE, Asking(models={"": teaching(good).model()}), tmp_path)
    made = make(tmp_path, second := teaching(good))
    assert made.written and made.written.reused == answered == cost.known
    assert len(second.requests) == cost.requests == len(list(rows(made))) - answered
    # The texts belong to the entries, not to how rows are made of them.
    other = make(tmp_path, third := teaching(good), seed=7, held_out=0.5, aggregation=3)
    assert not third.requests and other.rows.card.counts["aggregation"] > 0


def test_knowledge_by_intent_is_stated_by_the_teacher(tmp_path: Path) -> None:
    from kate_eval.errors import RowsError
    from kate_eval.knowledge.acquire import default_bank
    from kate_eval.knowledge.bank import make_bank
    from kate_eval.knowledge.folder import save_bank
    from kate_eval.knowledge.item import Experience

    intent = Experience(
        id="i",
        form="intent",
        benchmark="bfcl",
        sources=("multi_turn_base_20",),
        question="Move a file into a folder.",
        workflow=("Call mv.",),
        classes=("GorillaFileSystem",),
    )
    save_bank(make_bank([intent], default_bank("bfcl").card), tmp_path / "bank")
    how = {"forms": ("intent",), "bank": str(tmp_path / "bank"), "dropout": 0.0, "threshold": 0.0}
    recipe = make_recipe(benchmark="bfcl", categories=("multi_turn_base",), limit=1, knowledge=how)

    def answer(text: str, tries: int) -> str:
        return good(text) if "The assistant" in text or "An assistant" in text else "Move a file to a folder."

    asking = Asking(models={"": teaching(answer).model()})
    made = anyio.run(partial(make_gold_rows, recipe, tmp_path / "rows", by_characters(), asking))
    assert all(row.knowledge == ("i",) for row in made.rows.train)
    with pytest.raises(RowsError, match="--reasoning-from"):
        anyio.run(partial(make_gold_rows, recipe, tmp_path / "none", by_characters()))
