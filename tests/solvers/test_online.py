"""online: what a sample teaches is there for the next, never for itself; the order is kept; runs resume."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from inspect_ai.log import EvalLog
from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput

from kate_eval.counters import COUNTERS_KEY
from kate_eval.errors import BankError, ConfigurationError
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.bank import make_bank
from kate_eval.knowledge.folder import load_bank, save_bank
from kate_eval.knowledge.retrieve import Query
from kate_eval.solvers.judge import read_verdict
from kate_eval.solvers.memory import MIN_SHOWN, Learned, Memory, open_memory
from kate_eval.solvers.online import online
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Scripted, gold_answer, output

Run = Callable[..., EvalLog]
BANK = default_bank("bfcl")
ENTRIES = ["multi_turn_base_1", "multi_turn_base_3", "multi_turn_base_5", "multi_turn_base_7"]


def play(run: Run, model: Any, memory: Path, samples: list[str] = ENTRIES, **options: Any) -> EvalLog:
    solver = online(memory=str(memory), threshold=0.0, **options)
    return run(bfcl(categories="multi_turn"), model, solver, sample_id=samples, max_samples=1)


def order(memory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (memory / "order.jsonl").read_text().splitlines()]


def used(log: EvalLog) -> dict[str, list[str]]:
    return {str(s.id): s.store[COUNTERS_KEY]["items"] for s in log.samples or ()}


def test_later_samples_see_what_earlier_ones_taught_and_none_its_own(run: Run, tmp_path: Path) -> None:
    log = play(run, "simulated/perfect", tmp_path / "m")
    assert log.status == "success" and log.samples and not any(s.error for s in log.samples)
    seen = used(log)
    assert not seen[ENTRIES[0]] and seen[ENTRIES[1]] and seen[ENTRIES[3]]
    for number, entry in enumerate(ENTRIES):
        known = {name.split("/")[0] for name in seen[entry]}
        assert known <= set(ENTRIES[:number])
    assert [s.store[COUNTERS_KEY]["position"] for s in log.samples] == [1, 2, 3, 4]
    assert [line["sample"] for line in order(tmp_path / "m")] == ENTRIES
    assert all(line["success"] and line["added"] for line in order(tmp_path / "m"))
    bank = load_bank(tmp_path / "m")
    assert bank.card.forms == {"trajectory": len(bank.items)} and set(bank.card.sources) == set(ENTRIES)
    assert all(item.origin.kind == "run" for item in bank.items)


def test_what_a_variant_of_the_entry_taught_is_not_shown(run: Run, tmp_path: Path) -> None:
    samples = ["multi_turn_base_1", "multi_turn_miss_param_1"]
    log = play(run, "simulated/perfect", tmp_path / "m", samples)
    assert order(tmp_path / "m")[0]["added"]
    assert used(log)["multi_turn_miss_param_1"] == []
    assert log.results and log.samples and not any(s.store[COUNTERS_KEY]["leaked"] for s in log.samples)


def test_failures_teach_no_trajectory_of_the_turn_that_failed(run: Run, tmp_path: Path) -> None:
    log = play(run, "simulated/silent", tmp_path / "m")
    assert log.status == "success" and not (tmp_path / "m" / "card.json").exists()
    assert [line["success"] for line in order(tmp_path / "m")] == [False] * 4


def test_reflections_on_failures_are_written_and_shown(run: Run, tmp_path: Path) -> None:
    log = play(run, "simulated/silent", tmp_path / "m", knowledge="reflection")
    bank = load_bank(tmp_path / "m")
    assert set(bank.card.forms) == {"reflection"} and not any(i.origin.success for i in bank.items)
    assert used(log)[ENTRIES[-1]]


def test_a_resumed_run_goes_on_and_learns_nothing_twice(run: Run, tmp_path: Path) -> None:
    play(run, "simulated/perfect", tmp_path / "m", ENTRIES[:2])
    items = load_bank(tmp_path / "m").items
    log = play(run, "simulated/perfect", tmp_path / "m", ENTRIES)
    assert log.samples
    positions = {str(s.id): s.store[COUNTERS_KEY]["position"] for s in log.samples}
    assert positions == dict(zip(ENTRIES, (None, None, 3, 4), strict=True))  # it began before this log
    assert len(order(tmp_path / "m")) == 4 and load_bank(tmp_path / "m").items[: len(items)] == items


def test_it_may_begin_with_a_bank_that_stays_as_it_is(run: Run, tmp_path: Path) -> None:
    save_bank(make_bank(BANK.items[:50], BANK.card), tmp_path / "start")
    before = sorted((path.name, path.read_bytes()) for path in (tmp_path / "start").iterdir())
    log = play(run, "simulated/perfect", tmp_path / "m", ENTRIES[:2], bank=str(tmp_path / "start"))
    assert used(log)[ENTRIES[0]]
    assert load_bank(tmp_path / "m").items[:50] == BANK.items[:50]
    assert sorted((path.name, path.read_bytes()) for path in (tmp_path / "start").iterdir()) == before


def judging(verdict: str) -> Scripted:
    """Plays gold; asked to judge, says the verdict."""
    plays = gold_answer()

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        return (
            output(verdict) if messages[0].text.startswith("An assistant worked") else plays(messages, config)
        )

    return Scripted(answer)


@pytest.mark.parametrize(
    ("verdict", "learned"),
    [
        ('I think {so}: {"success": true, "reason": "All done."}', True),
        ('{"success": false, "reason": "It forgot the copy."}', False),
        ("It is fine.", None),
    ],
)
def test_a_judge_decides_where_no_checker_may(
    verdict: str, learned: bool | None, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_checker(*_: Any) -> Any:
        raise AssertionError("the checker was asked")

    monkeypatch.setattr("kate_eval.solvers.online.score", no_checker)
    monkeypatch.setattr("kate_eval.knowledge.acquire.bfcl.first_fault", no_checker)
    log = play(run, judging(verdict).model(), tmp_path / "m", ENTRIES[:1], feedback="judge")
    assert log.status == "success" and log.samples and log.samples[0].error is None
    if learned is None:
        assert not (tmp_path / "m" / "order.jsonl").exists()
    else:
        assert [line["success"] for line in order(tmp_path / "m")] == [learned]
    assert (tmp_path / "m" / "card.json").exists() is bool(learned)


@pytest.mark.parametrize("text", ["", "{}", '{"success": "yes"}', '{"success": 1}', "{" * 5000, "no"])
def test_what_is_no_verdict_is_none(text: str) -> None:
    assert read_verdict(text) is None


def memory_of(folder: Path, outcomes: list[tuple[bool, list[str]]]) -> Memory:
    memory = open_memory(folder, prune=True)
    for number, (success, shown) in enumerate(outcomes):
        said: dict[str, Any] = {"success": success, "feedback": "score", "shown": tuple(shown)}
        sample = Learned(position=0, sample=str(number), epoch=1, **said)
        items = BANK.items[:6] if number == 0 else ()
        anyio.run(memory.learn, sample, items, BANK.card)
    return memory


def test_items_that_hurt_are_pruned_and_kept_on_disk(tmp_path: Path) -> None:
    bad, good, rare = (item.id for item in BANK.items[:3])
    outcomes = [(True, [good])] * 12 + [(False, [bad, good])] * MIN_SHOWN + [(False, [rare])]
    memory = memory_of(tmp_path / "m", outcomes)
    pruned = {name for name, tally in memory.tallies.items() if tally.pruned}
    assert pruned == {bad}
    shelf = memory.shelf("bfcl")
    assert shelf is not None and bad not in {item.id for item in shelf.bank.items}
    assert bad in {item.id for item in load_bank(tmp_path / "m").items}
    again = open_memory(tmp_path / "m", prune=True)
    assert again.tallies == memory.tallies and again.learned == memory.learned
    everything = open_memory(tmp_path / "m", prune=False).shelf("bfcl")
    assert everything is not None and len(everything.bank.items) == 6


def test_a_damaged_order_is_refused_by_its_line(tmp_path: Path) -> None:
    memory_of(tmp_path / "m", [(True, [])])
    with (tmp_path / "m" / "order.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(BankError, match=r"order.jsonl, line 2: field position.*-S memory=FOLDER"):
        open_memory(tmp_path / "m", prune=True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"memory": None}, "keeps what it learns in a folder: -S memory="),
        ({"feedback": "guess"}, "Unknown feedback 'guess'; choose from: judge, score"),
        ({"knowledge": "intent"}, "Unknown form to learn online 'intent'"),
        ({"select": "random"}, "Unknown select 'random'; choose from: cover, diverse, top"),
    ],
)
def test_bad_parameters_are_refused_before_the_first_sample(
    options: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        online(**({"memory": str(tmp_path / "m")} | options))


def test_a_line_of_the_order_that_a_crash_cut_off_is_dropped(tmp_path: Path) -> None:
    memory = memory_of(tmp_path / "m", [(True, []), (False, [])])
    with (tmp_path / "m" / "order.jsonl").open("a") as file:
        file.write('{"position": 3, "sam')
    assert open_memory(tmp_path / "m", prune=True).learned == memory.learned


def test_a_memory_belongs_to_one_model_and_its_settings(run: Run, tmp_path: Path) -> None:
    play(run, "simulated/perfect", tmp_path / "m", ENTRIES[:1])
    for model, options in (("simulated/strong", {}), ("simulated/perfect", {"k": 1})):
        log = play(run, model, tmp_path / "m", ENTRIES[1:2], **options)
        assert log.samples and log.samples[0].error is not None
        assert "belongs to a run with other settings" in log.samples[0].error.message


def test_a_sample_that_a_limit_ended_has_its_place_and_teaches_nothing(run: Run, tmp_path: Path) -> None:
    solver = online(memory=str(tmp_path / "m"))
    task = bfcl(categories="multi_turn")
    log = run(task, "simulated/perfect", solver, sample_id=ENTRIES[:2], max_samples=1, message_limit=3)
    assert log.samples and [s.store[COUNTERS_KEY]["position"] for s in log.samples] == [1, 2]
    assert not (tmp_path / "m" / "order.jsonl").exists()


def test_a_memory_that_grows_is_searched_as_one_that_is_opened_anew(tmp_path: Path) -> None:
    memory = open_memory(tmp_path / "m", prune=True)
    for number in range(6):
        memory.shelf("bfcl")  # as each sample does
        said = Learned(position=number + 1, sample=str(number), epoch=1, success=True, feedback="score")
        anyio.run(memory.learn, said, BANK.items[5 * number : 5 * number + 5], BANK.card)
        grown, anew = memory.shelf("bfcl"), open_memory(tmp_path / "m", prune=True).shelf("bfcl")
        assert grown is not None and anew is not None and grown.bank.items == anew.bank.items
        for asking in BANK.items[40:200:40]:
            found = [
                shelf.retriever.search(Query(asking.question), "trajectory", set(), 3, 0.0)
                for shelf in (grown, anew)
            ]
            assert found[0] == found[1]
            assert grown.nearness.nearest(asking.question) == pytest.approx(
                anew.nearness.nearest(asking.question)
            )
