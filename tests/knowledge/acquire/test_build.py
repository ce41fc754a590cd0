"""Building: interrupted, repeated, with answers that can't be used; nothing is paid for twice."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput

from kate_eval.errors import BankError, ConfigurationError, EndpointError
from kate_eval.knowledge import folder
from kate_eval.knowledge.acquire.bfcl import gold_cases
from kate_eval.knowledge.acquire.build import Asking, Built, build, preview
from kate_eval.knowledge.acquire.case import Acquired
from kate_eval.knowledge.acquire.write import CUT_OFF, TRIES
from kate_eval.knowledge.bank import Vectors
from kate_eval.knowledge.embed import unit
from kate_eval.knowledge.folder import JOURNAL, load_bank, save_bank, writing
from kate_eval.knowledge.item import Origin
from tests.conftest import Scripted, output
from tests.knowledge.acquire.writers import PROSE, asked, asks, good_answer, writer

FEW = 12


def few(count: int = FEW) -> Acquired:
    acquired = gold_cases()
    return replace(acquired, cases=acquired.cases[:count])


def made(
    at: Path, script: Scripted | None, forms: str, acquired: Acquired | None = None, **more: Any
) -> Built:
    append = more.pop("append", False)
    models = {"": script.model()} if script else {}
    asking = Asking(models=models, **more)
    return anyio.run(build, acquired or few(), forms.split(","), at, None, asking, append)


def test_all_forms_of_gold_make_one_bank(tmp_path: Path) -> None:
    script = writer()
    built = made(tmp_path / "b", script, "trajectory,summary,intent,intent_summary")
    loaded = load_bank(tmp_path / "b")
    assert loaded.items == built.bank.items
    forms = loaded.card.forms
    assert forms["trajectory"] == forms["summary"] == FEW
    assert forms["intent"] >= 1 and forms["intent_summary"] >= 1
    assert len(asked(script)) == len(set(asked(script)))  # equal requests are made once
    assert loaded.card.models == ("mockllm/scripted",) and not loaded.card.failed
    assert loaded.card.sources == tuple(sorted({case.source for case in few().cases}))


def test_an_interrupted_build_goes_on_and_never_pays_twice(tmp_path: Path) -> None:
    def dies(text: str, tries: int) -> str:
        if len(script.requests) > 5:
            raise RuntimeError("connection refused")
        return PROSE

    script = writer(dies)
    with pytest.raises(
        EndpointError, match=r"connection refused.*5 of 12 items are done and kept: run the same"
    ):
        made(tmp_path / "b", script, "summary")
    with pytest.raises(BankError, match="is not finished: run the same"):
        load_bank(tmp_path / "b")
    answered = asked(script)[:5]
    healthy = writer()
    built = made(tmp_path / "b", healthy, "summary")
    assert len(asked(healthy)) == FEW - 5 and not set(asked(healthy)) & set(answered)
    assert built.written["summary"].reused == 5 and len(built.bank.items) == FEW
    again = writer()
    assert made(tmp_path / "b", again, "trajectory,summary").bank.card.forms["summary"] == FEW
    assert not again.requests


def test_a_line_cut_off_by_a_crash_is_dropped(tmp_path: Path) -> None:
    made(tmp_path / "b", writer(), "summary")
    journal = tmp_path / "b" / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-40])
    script = writer()
    built = made(tmp_path / "b", script, "summary")
    assert len(script.requests) == 1 and len(built.bank.items) == FEW
    lines = journal.read_text().splitlines()
    assert len(lines) == FEW and all(json.loads(line) for line in lines)


def test_an_answer_that_can_t_be_used_is_asked_again_with_the_reason(tmp_path: Path) -> None:
    script = writer(lambda text, tries: "No." if tries == 0 else PROSE)
    built = made(tmp_path / "b", script, "summary", few(1))
    second = script.requests[1][0]
    assert [m.role for m in second] == ["user", "assistant", "user"]
    assert "only 1 words" in second[2].text and second[1].text == "No."
    assert built.written["summary"].failed == Counter()


def test_what_never_gives_a_usable_answer_is_counted_and_not_asked_again(tmp_path: Path) -> None:
    victim = few().cases[3].question
    script = writer(lambda text, tries: "" if asks(text, victim) else good_answer(text))
    built = made(tmp_path / "b", script, "summary")
    assert sum(asks(text, victim) for text in asked(script)) == TRIES
    assert built.bank.card.failed == {"summary": 1} and len(built.bank.items) == FEW - 1
    assert built.written["summary"].reasons == Counter({"the answer is empty": 1})
    again = writer()
    assert made(tmp_path / "b", again, "summary").bank.card.failed == {"summary": 1}
    assert not again.requests
    assert not made(tmp_path / "b", again, "summary", retry_failed=True).bank.card.failed
    assert len(again.requests) == 1


def test_if_nothing_can_be_used_there_is_no_bank_and_an_older_one_stays(tmp_path: Path) -> None:
    old = made(tmp_path / "b", None, "trajectory").bank
    with pytest.raises(BankError, match=r"No item could be made.*the answer is empty \(12\)"):
        made(tmp_path / "b", writer(lambda text, tries: ""), "summary")
    assert load_bank(tmp_path / "b").items == old.items


def test_appending_keeps_ids_and_drops_duplicates(tmp_path: Path) -> None:
    first = made(tmp_path / "b", None, "trajectory", few(5)).bank
    built = made(tmp_path / "b", writer(), "trajectory,summary", few(8), append=True)
    assert built.bank.items[:5] == first.items and built.added == 3 + 8
    assert len({item.id for item in built.bank.items}) == len(built.bank.items)
    assert made(tmp_path / "b", writer(), "summary", few(8), append=True).added == 0


def test_another_model_s_summaries_stand_beside_the_first_s(tmp_path: Path) -> None:
    made(tmp_path / "b", writer(), "summary", few(2))
    built = made(
        tmp_path / "b",
        writer(lambda text, tries: f"Differently put: {PROSE}"),
        "summary",
        few(2),
        append=True,
    )
    # The script's name is the same, so the journal would know the answers: a new prompt or model would not.
    assert built.added == 0
    (tmp_path / "b" / JOURNAL).unlink()
    built = made(
        tmp_path / "b",
        writer(lambda text, tries: f"Differently put: {PROSE}"),
        "summary",
        few(2),
        append=True,
    )
    assert built.added == 2 and len({item.id for item in built.bank.items}) == 4


def test_the_cost_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    script = writer()
    asking = Asking(models={"": script.model()}, price=(2.0, 8.0))
    costs = preview(few(), ["summary", "intent", "intent_summary"], tmp_path / "b", asking)
    assert costs["summary"].requests == FEW and costs["intent_summary"].requests == costs["intent"].requests
    assert not script.requests and not (tmp_path / "b").exists()
    cost = costs["summary"]
    assert cost.dollars == pytest.approx((cost.input_tokens * 2 + cost.output_tokens * 8) / 1e6)
    made(tmp_path / "b", script, "summary,intent")
    costs = preview(few(), ["summary", "intent", "intent_summary"], tmp_path / "b", asking)
    assert costs["summary"].requests == 0 and costs["summary"].known == FEW
    # The journal knows the intents now, so the requests that build upon them are known in detail.
    assert costs["intent"].requests == 0 and costs["intent_summary"].requests > 0


@pytest.mark.parametrize(
    ("forms", "says"),
    [
        ("wisdom", "Unknown knowledge form 'wisdom'; choose from: intent, intent_summary"),
        ("reflection", "made of a model's own runs: kate knowledge build --from-logs"),
        ("summary", "is written by a model: name one, for instance --model"),
    ],
)
def test_a_form_that_can_t_be_had_is_refused_before_anything_is_written(
    forms: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        made(tmp_path / "b", None, forms)
    assert not (tmp_path / "b").exists()


def test_intents_need_classes(tmp_path: Path) -> None:
    single = gold_cases("train", ["simple_python"])
    with pytest.raises(ConfigurationError, match="made per class of tools, which bfcl train does not have"):
        made(tmp_path / "b", writer(), "intent", single)


def test_two_builds_of_one_folder_don_t_mix(tmp_path: Path) -> None:
    with writing(tmp_path / "b"), pytest.raises(BankError, match="Another process is writing"):
        made(tmp_path / "b", None, "trajectory")


def test_items_of_another_benchmark_are_not_added(tmp_path: Path) -> None:
    bank = made(tmp_path / "b", None, "trajectory").bank
    save_bank(replace(bank, card=bank.card.model_copy(update={"benchmark": "appworld"})), tmp_path / "b")
    with pytest.raises(BankError, match="The bank is of appworld, the items are of bfcl"):
        made(tmp_path / "b", None, "trajectory", append=True)


def test_a_turn_that_was_played_twice_alike_is_one_item(tmp_path: Path) -> None:
    acquired = few(6)
    runs = [replace(case, origin=Origin(kind="run", sample=name)) for case in acquired.cases for name in "ab"]
    script = writer()
    built = made(tmp_path / "b", script, "trajectory,reflection", replace(acquired, cases=runs))
    assert built.bank.card.forms == {"reflection": 6, "trajectory": 6}
    assert len(script.requests) == 6


@pytest.mark.parametrize("reason", sorted(CUT_OFF))
def test_an_answer_that_was_cut_off_is_asked_again_then_failed(reason: Any, tmp_path: Path) -> None:
    def cut(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        answer = output(PROSE)
        if len(messages) == 1 or asks(messages[0].text, victim):
            answer.choices[0].stop_reason = reason
        return answer

    victim = few().cases[1].question
    script = Scripted(cut)
    built = made(tmp_path / "b", script, "summary", few(2))
    assert all("cut off" in messages[-1].text for messages, _, _ in script.requests if len(messages) > 1)
    assert sum(asks(text, victim) for text in asked(script)) == TRIES and len(script.requests) == TRIES + 2
    assert built.bank.card.failed == {"summary": 1} and len(built.bank.items) == 1
    assert built.written["summary"].reasons == Counter({CUT_OFF[reason]: 1})


class Counted:
    """An embedder that makes vectors of letters, and counts what it is asked."""

    name = "counted"
    threshold: float | None = 0.5

    def __init__(self, dimension: int = 26) -> None:
        self.texts: list[str] = []
        self.dimension = dimension

    async def encode(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        return unit([[1 + text.count(chr(97 + n)) for n in range(self.dimension)] for text in texts])


def test_each_text_is_embedded_once(tmp_path: Path) -> None:
    def embedded(cases: Acquired, embedder: Counted, append: bool = False) -> Built:
        asking = Asking(models={"": writer().model()})
        forms = ["trajectory", "summary", "intent"]
        return anyio.run(build, cases, forms, tmp_path / "b", embedder, asking, append)

    first = Counted()
    bank = embedded(few(), first).bank
    assert len(first.texts) == len(set(first.texts)) == len({item.question for item in bank.items})
    assert bank.vectors is not None and bank.vectors.shape == (len(bank.items), 26)
    more = Counted()
    grown = embedded(few(FEW + 4), more, append=True).bank
    assert len(more.texts) == len(set(more.texts))
    assert not set(more.texts) & {item.question for item in bank.items}
    alone = anyio.run(Counted().encode, [item.question for item in grown.items])
    assert grown.vectors is not None and np.allclose(grown.vectors, alone)
    with pytest.raises(BankError, match=r"of another dimension.*kate knowledge embed"):
        embedded(few(FEW + 8), Counted(7), append=True)


def test_a_bank_of_failures_alone_is_embedded(tmp_path: Path) -> None:
    failed = Origin(kind="run", success=False, evidence="state differs")
    runs = replace(few(3), cases=[replace(case, origin=failed) for case in few(3).cases])
    asking = Asking(models={"": writer().model()})
    built = anyio.run(build, runs, ["reflection"], tmp_path / "b", Counted(), asking)
    assert built.bank.card.forms == {"reflection": 3} and built.bank.card.embedder.dimension == 26


def test_the_cost_needs_no_model_but_the_build_does(tmp_path: Path) -> None:
    costs = preview(few(), ["summary", "intent", "intent_summary"], tmp_path / "b", Asking(price=(2.0, 8.0)))
    named = preview(few(), ["summary"], tmp_path / "b", Asking(models={"": writer().model()}))
    assert costs["summary"].input_tokens == named["summary"].input_tokens and costs["summary"].dollars
    assert costs["intent_summary"].requests == costs["intent"].requests > 0
    assert preview(few(), ["summary"], tmp_path / "b", Asking())["summary"].dollars is None


def test_an_endpoint_that_can_t_be_reached_is_no_disk_s_error(tmp_path: Path) -> None:
    def dead(text: str, tries: int) -> str:
        raise ConnectionError("[bold]ERROR[/bold]: refused\n\nStart it")

    with pytest.raises(EndpointError, match=r"failed \(refused\. Start it\)\. 0 of 12 items are done"):
        made(tmp_path / "b", writer(dead), "summary")


def test_looking_at_the_cost_leaves_a_running_build_s_journal_alone(tmp_path: Path) -> None:
    made(tmp_path / "b", writer(), "summary")
    journal = tmp_path / "b" / JOURNAL
    torn = journal.read_bytes() + b'{"key": "half'
    journal.write_bytes(torn)
    preview(few(), ["summary"], tmp_path / "b", Asking(models={"": writer().model()}))
    assert journal.read_bytes() == torn


def test_a_first_write_that_failed_does_not_lock_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        path.with_name(f".{path.name}.partial").write_bytes(data[:10])
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(folder, "write_whole", full)
        with pytest.raises(OSError, match="No space"):
            made(tmp_path / "b", writer(), "summary")
    again = writer()
    assert made(tmp_path / "b", again, "summary").bank.card.forms == {"summary": FEW}
    assert not again.requests


def test_the_memory_of_an_online_run_is_not_replaced(tmp_path: Path) -> None:
    made(tmp_path / "b", None, "trajectory", few(3))
    (tmp_path / "b" / "order.jsonl").touch()
    with pytest.raises(BankError, match="is the memory of an online run"):
        made(tmp_path / "b", None, "trajectory")
