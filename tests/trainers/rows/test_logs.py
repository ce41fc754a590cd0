"""Rows from logs: what was done rightly, as the model wrote it, and nothing else."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput

from kate_eval.bfcl.checker import first_fault
from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.endpoints.openai.messages import encode_messages
from kate_eval.episode import OUTCOME_KEY
from kate_eval.errors import ConfigurationError, LeakageError
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.bank import make_bank
from kate_eval.knowledge.folder import save_bank
from kate_eval.solvers.critic import read_answer
from kate_eval.solvers.kate import baseline, kate, knowledge
from kate_eval.tasks.appworld import appworld
from kate_eval.tasks.bfcl import bfcl
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.decode import row_calls
from kate_eval.trainers.rows.finish import Made
from kate_eval.trainers.rows.logs import make_log_rows
from kate_eval.trainers.rows.recipe import make_recipe
from kate_eval.trainers.rows.split import held_out
from kate_eval.trainers.rows.statistics import by_characters
from tests.conftest import Scripted, gold_answer, output

Run = Callable[..., EvalLog]
TRAIN = [f"multi_turn_base_{2 * number}" for number in range(6)]


def make(logs: Sequence[str], folder: Path, heard: list[str] | None = None, **fields: Any) -> Made:
    recipe = make_recipe(**{"held_out": 0.0, **fields})
    say = (heard if heard is not None else []).append
    paths = [Path(log) for log in logs]
    return anyio.run(partial(make_log_rows, recipe, paths, folder / "rows", by_characters(), say))


def steps(made: Made) -> list[Row]:
    return [row for row in made.rows.train if row.kind == "step"]


@pytest.mark.parametrize("mode", ["fc", "prompt"])
def test_turns_before_the_first_fault_become_rows_as_they_were_written(
    run: Run, tmp_path: Path, mode: str
) -> None:
    task = bfcl(categories="multi_turn_base", split="train", mode=mode)
    log = run(task, "simulated/default", baseline(), sample_id=TRAIN)
    found = steps(make([log.location], tmp_path))
    whole = read_eval_log(log.location, resolve_attachments=True)
    verdicts = set()
    for sample in whole.samples or ():
        entry = load_entry(str(sample.id))
        outcome = sample.store[OUTCOME_KEY]
        fault = first_fault(entry, outcome["result"], mode)  # type: ignore[arg-type]
        passed = len(outcome["result"]) if fault is None else fault[0]
        mine = [row for row in found if row.entry == entry.id]
        assert {row.turn for row in mine} == set(range(passed))
        verdicts.add(passed)
        encoded = encode_messages(sample.messages)
        for row in mine:
            place = len(row.messages)
            assert list(row.messages) == encoded[:place] and row.completion == encoded[place]
            assert bool(row.tools) is (mode == "fc") and row.mode == mode
            assert (row.origin.kind, row.origin.model) == ("run", "simulated/default")
            assert row.origin.sample == sample.uuid and row.origin.log == Path(log.location).name
    assert len(verdicts) > 1  # some passed, some did not


def test_knowledge_that_was_shown_is_recorded(run: Run, tmp_path: Path) -> None:
    task = bfcl(categories="multi_turn_base", split="test")
    log = run(task, "simulated/perfect", knowledge(), sample_id=["multi_turn_base_1"])
    made = make([log.location], tmp_path, allow_leakage=True)
    rows = made.rows.train
    assert rows[0].knowledge and set(rows[0].knowledge) < set(rows[-1].knowledge)
    assert made.rows.card.leaked and made.rows.card.leak[0].entries == ("multi_turn_base_1",)
    calls = [call.key for row in rows for call in row_calls(row)]
    gold = multi_turn_gold(load_entry("multi_turn_base_1"))
    assert calls == [call.key for turn in gold for call in turn]


def test_candidates_of_a_run_become_choices_where_gold_is_known(run: Run, tmp_path: Path) -> None:
    task = bfcl(categories="multi_turn_base", split="train")
    log = run(task, "simulated/default", kate(knowledge="none", width=4), sample_id=TRAIN)
    made = make([log.location], tmp_path, aggregation=3)
    choices = [row for row in made.rows.train if row.kind == "aggregation"]
    by_place = {(row.entry, row.turn, row.step): row for row in steps(made)}
    assert choices
    for choice in choices:
        row = by_place[choice.entry, choice.turn, choice.step]
        assert choice.messages[:-1] == row.messages and choice.id.endswith("/aggregation/logs")
        asked = choice.messages[-1]["content"].partition("Candidates for the next step:\n")[2]
        shown = [line for line in asked.partition("\n\n")[0].splitlines() if line[0].isdigit()]
        assert 2 <= len(shown) <= 3 and "Reasoning: " in asked
        answer = read_answer(choice.completion["content"])
        gold = multi_turn_gold(load_entry(choice.entry))[choice.turn]
        if answer.calls:
            assert answer.calls[0].name in {call.name for call in gold} and len(answer.calls) == 1
        else:
            assert answer.reply


def test_what_teaches_nothing_is_left_out_and_counted(run: Run, tmp_path: Path) -> None:
    silent = run(bfcl(categories="multi_turn_base", split="train"), "simulated/silent", baseline(), limit=3)
    with pytest.raises(ConfigurationError, match="3 samples: nothing in it was done rightly"):
        make([silent.location], tmp_path)
    with pytest.raises(ConfigurationError, match="No log or folder"):
        make([str(tmp_path / "nothing")], tmp_path)
    good = run(bfcl(categories="multi_turn_base", split="train"), "simulated/perfect", baseline(), limit=2)
    for fields in ({"mode": "fc"}, {"categories": ("live",)}, {"knowledge": {"forms": ("trajectory",)}}):
        with pytest.raises(ConfigurationError, match="does not apply to --from-logs"):
            make([good.location], tmp_path, **fields)
    made = make([good.location, silent.location], tmp_path)
    assert made.rows.card.notes == ("3 samples: nothing in it was done rightly",)
    assert made.rows.card.logs == (Path(good.location).name,)
    assert (made.rows.card.models, made.rows.card.split) == (("simulated/perfect",), "train")


def test_test_entries_in_logs_are_refused_or_left_out_by_split(run: Run, tmp_path: Path) -> None:
    task = bfcl(categories="multi_turn_base", split="all")
    log = run(task, "simulated/perfect", baseline(), limit=4)
    with pytest.raises(LeakageError, match="multi_turn_base_1, multi_turn_base_3"):
        make([log.location], tmp_path)
    with pytest.raises(ConfigurationError, match="Unknown split 'tran'"):
        make([log.location], tmp_path, split="tran")
    made = make([log.location], tmp_path, split="train")
    assert {row.entry for row in made.rows.train} == {"multi_turn_base_0", "multi_turn_base_2"}
    assert made.rows.card.notes == ("2 samples: the entry is of another split",) and not made.rows.card.leaked


def shown_bank(folder: Path, *sources: str) -> str:
    """A bank whose items look like what entry multi_turn_base_0 asks, but are said to be of others."""
    items = default_bank("bfcl").items[:1]
    made = [
        item.model_copy(update={"id": f"{source}/0/trajectory", "sources": (source,), "text": source})
        for item, source in zip(items * len(sources), sources, strict=True)
    ]
    save_bank(make_bank(made, default_bank("bfcl").card), folder)
    return str(folder)


@pytest.mark.parametrize("recorded", [True, False])
def test_prompts_that_show_test_entries_are_left_out(run: Run, tmp_path: Path, recorded: bool) -> None:
    """By what the log records, or in older ones by the items' ids."""
    task = bfcl(categories="multi_turn_base", split="train")
    leaky = shown_bank(tmp_path / "leaky", "multi_turn_miss_func_1")
    log = run(task, "simulated/perfect", knowledge(bank=leaky, threshold=0), sample_id=TRAIN[:2])
    if not recorded:
        whole = read_eval_log(log.location, resolve_attachments=True)
        for sample in whole.samples or ():
            for event in sample.events:
                data = getattr(event, "data", None)
                for hit in data.get("retrieved", ()) if isinstance(data, dict) else ():
                    hit.pop("sources", None)
        write_eval_log(whole, log.location)
    with pytest.raises(LeakageError, match=r"made from multi_turn_miss_func_1: .*--allow-leak"):
        make([log.location], tmp_path)
    plain = run(task, "simulated/perfect", baseline(), sample_id=TRAIN[2:3])
    made = make([log.location, plain.location], tmp_path)
    assert {row.entry for row in made.rows.train} == {TRAIN[2]} and not made.rows.card.leaked
    assert "their prompts show knowledge of test entries" in made.rows.card.notes[-1]
    allowed = make([log.location, plain.location], tmp_path, allow_leakage=True)
    assert allowed.rows.card.leaked and {row.entry for row in allowed.rows.train} == set(TRAIN[:3])
    assert allowed.rows.card.leak[0].bank_entries == ("multi_turn_miss_func_1",)


def test_rows_to_learn_from_show_nothing_that_is_held_out(run: Run, tmp_path: Path) -> None:
    task = bfcl(categories="multi_turn_base", split="train")
    entries = TRAIN[:4]
    clusters = {entry: load_entry(entry).cluster for entry in entries}
    [away] = held_out(clusters.values(), 0.25, 0)
    [hidden] = [entry for entry in entries if clusters[entry] == away]
    shows = knowledge(bank=shown_bank(tmp_path / "bank", hidden), threshold=0)
    others = [entry for entry in entries if entry != hidden]
    logs = [
        run(task, "simulated/perfect", shows, sample_id=others[:2]),
        run(task, "simulated/perfect", baseline(), sample_id=[others[2], hidden]),
    ]
    made = make([log.location for log in logs], tmp_path, held_out=0.25)
    assert {row.entry for row in made.rows.held_out} == {hidden}
    assert others[2] in {row.entry for row in made.rows.train}
    assert not any(row.knowledge for row in made.rows.train)
    assert "their prompts show knowledge of entries that are held out" in str(made.rows.card.notes)


def test_an_environment_that_answers_otherwise_gives_no_rows(run: Run, tmp_path: Path) -> None:
    task = bfcl(categories="multi_turn_base", split="train")
    log = run(task, "simulated/perfect", baseline(), limit=2)
    whole = read_eval_log(log.location, resolve_attachments=True)
    assert whole.samples
    result = next(message for message in whole.samples[0].messages if message.role == "tool")
    result.content = "something else"
    write_eval_log(whole, str(tmp_path / "changed.eval"))
    made = make([str(tmp_path / "changed.eval")], tmp_path)
    assert {row.entry for row in made.rows.train} == {str(whole.samples[1].id)}
    assert made.rows.card.notes == ("1 samples: the environment answers otherwise than the log says",)


def test_equal_rows_of_two_epochs_are_kept_once(run: Run, tmp_path: Path) -> None:
    """Servers number calls as they like; that makes no other row."""

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        found: ModelOutput = gold(messages, config)
        script.count = getattr(script, "count", 0) + 1  # type: ignore[attr-defined]
        for call in found.message.tool_calls or ():
            call.id = f"call-{script.count}"  # type: ignore[attr-defined]
        return found

    gold = gold_answer()
    script = Scripted(answer)
    task = bfcl(categories="multi_turn_base", split="train")
    log = run(task, script.model(), baseline(), sample_id=TRAIN[:1], epochs=2)
    made = make([log.location], tmp_path)
    turns = multi_turn_gold(load_entry(TRAIN[0]))
    wanted = sum(map(len, turns)) + len(turns)
    assert len(made.rows.train) == wanted
    assert made.rows.card.notes == (f"{wanted} rows: another sample has the same",)


def test_calls_nobody_checked_or_could_read_are_not_learned(run: Run, tmp_path: Path) -> None:
    """In a turn whose gold is empty the model looks around; in another it writes what is no call."""
    entry = load_entry("multi_turn_miss_func_0")
    [offered] = entry.held_out
    gold = multi_turn_gold(entry)

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        turn = sum(message.role == "user" for message in messages) - 1
        last = max(number for number, message in enumerate(messages) if message.role == "user")
        made = sum(bool(getattr(m, "tool_calls", None)) for m in messages[last:])
        calls = [(call.name, call.arguments) for call in gold[turn]]
        if turn == offered - 1:
            calls = [("pwd", {})]
        return output([calls[made]] if made < len(calls) else "Done.")

    task = bfcl(categories="multi_turn_miss_func", split="train")
    log = run(task, Scripted(answer).model(), baseline(), sample_id=[entry.id])
    found = make([log.location], tmp_path).rows.train
    empty = [row for row in found if row.turn == offered - 1]
    assert [row.completion["content"] for row in empty] == ["Done."]
    assert any("pwd" in str(message) for message in empty[0].messages)  # it stays in the history
    assert {row.turn for row in found} == set(range(len(gold)))


@pytest.mark.xdist_group("rows-appworld")
def test_appworld_s_solved_tasks_become_rows(run: Run, tmp_path: Path) -> None:
    log = run(appworld(split="mini_train"), "simulated/perfect", kate(knowledge="none", width=2), limit=1)
    with pytest.raises(ConfigurationError, match="of another split"):
        make([log.location], tmp_path, split="mini_test")
    made = make([log.location], tmp_path, aggregation=2, split="mini_train")
    sample = (read_eval_log(log.location, resolve_attachments=True).samples or [])[0]
    encoded = encode_messages(sample.messages)
    found = steps(made)
    assert found and len(found) == sum(message["role"] == "assistant" for message in encoded)
    for row in found:
        assert list(row.messages) == encoded[: len(row.messages)]
        assert row.completion == encoded[len(row.messages)] and len(row_calls(row)) == 1
        assert row.mode == "code" and row.cluster == row.entry.rpartition("_")[0]
    assert made.rows.card.benchmark == "appworld-mini"
    assert [leak.against for leak in made.rows.card.leak] == ["appworld:mini_test"]
