"""Trajectories of AppWorld: solutions as the engine ran them, found by instruction, shown step by step."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner

from kate_eval.appworld import data, record
from kate_eval.cli import main
from kate_eval.errors import BankError, DatasetError
from kate_eval.knowledge.acquire import default_bank, trajectory_bank
from kate_eval.knowledge.acquire.appworld import OUTPUT, gold_cases
from kate_eval.knowledge.acquire.build import Asking
from kate_eval.knowledge.acquire.case import Acquired
from kate_eval.knowledge.acquire.rewrite import rewrite
from kate_eval.knowledge.folder import load_bank, save_bank
from kate_eval.knowledge.render import render_experiences
from kate_eval.knowledge.retrieve import Query, Retriever
from kate_eval.solvers.kate import knowledge
from kate_eval.tasks.appworld import appworld
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Scripted, output

COMPLETE = "```python\napis.supervisor.complete_task()\n```"


def test_a_bank_has_every_training_task_with_its_steps_and_apps() -> None:
    bank = trajectory_bank(gold_cases("mini_train"))
    assert bank.sources == set(data.task_ids("mini_train"))
    assert bank.card.benchmark == "appworld-mini"
    for item in bank.items:
        assert item.classes and "complete_task" in item.steps[-1].code
        assert all(len(step.output) < OUTPUT + 60 for step in item.steps)
        assert "eyJ" not in str(item.steps)  # access tokens say nothing


def test_the_command_builds_the_default_bank(tmp_path: Path) -> None:
    folder = str(tmp_path / "bank")
    done = CliRunner().invoke(main, ["knowledge", "build", "appworld", "--split", "mini_train", "-o", folder])
    assert done.exit_code == 0, done.output
    built, default = load_bank(tmp_path / "bank").card, default_bank("appworld-mini").card
    assert built.items_hash == default.items_hash and built.embedder == default.embedder


def test_categories_don_t_apply_to_appworld(tmp_path: Path) -> None:
    command = ["knowledge", "build", "appworld", "--split", "mini_train", "--categories", "base"]
    done = CliRunner().invoke(main, [*command, "-o", str(tmp_path / "bank")])
    assert done.exit_code == 1 and "--categories does not apply to appworld" in done.output


def test_the_task_is_asked_with_similar_tasks_before_it(run: Any) -> None:
    script = Scripted(lambda messages, config: output(COMPLETE))
    run(appworld(split="mini_test"), script.model(), knowledge(), limit=1)
    [(messages, tools, _)] = script.requests
    assert [m.role for m in messages] == ["system", "user"] and not tools
    text = messages[1].text
    assert text.count("I am ") >= 2 and "```python" in text and "Output:" in text
    task = data.load("mini_test")[0]
    assert text.rstrip().endswith(task.instruction)
    assert not any(other.instruction in text for other in data.load("mini_test")[1:])


def test_steps_are_shown_in_order() -> None:
    retriever = Retriever(trajectory_bank(gold_cases("mini_train")))
    [best] = retriever.search(Query("jazz songs in my Spotify library"), "trajectory", frozenset(), 1, 0.0)
    assert "spotify" in best.item.classes
    shown = render_experiences("Mine.", [best])
    places = [shown.index(step.code) for step in best.item.steps]
    assert places == sorted(places) and shown.endswith("Mine.")


def test_a_bank_of_the_other_benchmark_or_split_is_refused(run: Any, tmp_path: Path) -> None:
    save_bank(trajectory_bank(gold_cases("mini_train")), tmp_path / "bank")
    script = Scripted(lambda messages, config: output(COMPLETE))
    folder = str(tmp_path / "bank")
    log = run(bfcl(categories="multi_turn_base"), script.model(), knowledge(bank=folder), limit=1)
    assert log.status == "error" and "is of appworld-mini" in log.error.message and not log.samples
    log = run(appworld(split="mini_train"), script.model(), knowledge(bank=folder), limit=1)
    assert "the same scenario" in log.samples[0].error.message


def test_a_rewritten_solution_counts_only_if_the_engine_accepts_it(tmp_path: Path) -> None:
    acquired = gold_cases("mini_train")
    few = replace(acquired, cases=acquired.cases[:1])
    own = record.load_demonstration("mini", few.cases[0].source)["steps"]
    said = "\n\n".join(f"```python\n# Because it is needed.\n{step['code']}\n```" for step in own)

    def rewritten(answer: str, folder: str) -> tuple[Acquired, Scripted]:
        script = Scripted(lambda messages, config: output(answer))
        asking = Asking(models={"": script.model()})
        return anyio.run(rewrite, few, tmp_path / folder, asking), script

    made, good = rewritten(said, "good")
    [case] = made.cases
    assert case.steps[0].code.startswith("# Because") and case.origin.writer == "mockllm/scripted"
    assert case.question in good.requests[0][0][0].text and len(good.requests) == 1
    assert not rewritten(said, "good")[1].requests  # the answer is kept
    for number, answer in enumerate((COMPLETE, "I would rather not.")):
        made, _ = rewritten(answer, f"bad{number}")
        assert list(made.cases) == list(few.cases) and "0 of 1" in made.notes[0]


def test_what_is_not_recorded_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(record, "folder", lambda world: tmp_path)
    with pytest.raises(DatasetError, match=r"No demonstration of task .* kate appworld setup --mini"):
        trajectory_bank(gold_cases("mini_train"))
    for task_id in data.task_ids("mini_train"):
        (tmp_path / f"{task_id}.json").write_text('{"steps": [], "apps": [], "success": false}')
    with pytest.raises(BankError, match="None of the 15 tasks"):
        trajectory_bank(gold_cases("mini_train"))
