"""The audit: what a bank holds of an evaluation set, in similar or the same words, or as the same entry."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio
import numpy as np
import pytest
from click.testing import CliRunner

from kate_eval.appworld.record import load_demonstration
from kate_eval.bfcl.data import load
from kate_eval.cli import main
from kate_eval.episode import Call
from kate_eval.knowledge import embed
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.audit import (
    Audit,
    EvaluationSet,
    audit,
    calls_form,
    evaluation_set,
    handling_of,
    words,
)
from kate_eval.knowledge.bank import Bank, make_bank
from kate_eval.knowledge.card import EmbedderCard
from kate_eval.knowledge.folder import save_bank
from kate_eval.report.strata import stratum


def audited(bank: Bank, against: EvaluationSet) -> Audit:
    """The audit, in an event loop of its own."""
    return anyio.run(audit, bank, against)


@pytest.fixture(scope="module")
def of_test_half() -> Audit:
    """The default bank against all multi-turn test entries."""
    return audited(default_bank("bfcl"), evaluation_set("bfcl:test"))


def test_the_test_half_is_novel_or_near_but_for_one_scenario(of_test_half: Audit) -> None:
    nearest = of_test_half.nearest
    assert Counter(map(stratum, nearest.values())) == {"novel": 258, "near": 138, "duplicate": 4}
    duplicates = {entry for entry, similarity in nearest.items() if stratum(similarity) == "duplicate"}
    assert {entry.rpartition("_")[2] for entry in duplicates} == {"43"}
    assert not of_test_half.leaks and not of_test_half.unknown_sources


def test_exact_duplicates_are_found_by_words_and_by_calls(of_test_half: Audit) -> None:
    same = [f for f in of_test_half.findings if f.same_question]
    assert {(f.asked.entry, f.asked.turn) for f in same} >= {("multi_turn_base_43", 0)}
    bank = {item.id: item for item in default_bank("bfcl").items}
    assert all(words(bank[i].question) == words(f.asked.question) for f in same for i in f.same_question)
    alike = [f for f in of_test_half.findings if f.same_handling]
    assert all(handling_of(bank[i]) == f.asked.handling for f in alike for i in f.same_handling)
    trivial = [f for f in alike if f.asked.trivial]
    assert trivial and all("{}" in f.asked.handling for f in trivial)
    assert len(alike) > len(trivial)


def test_turns_that_ask_nothing_are_skipped() -> None:
    asked = evaluation_set("bfcl:test:multi_turn_miss_func").asked
    entries = list(load(["multi_turn_miss_func"], "test"))
    assert (
        len(asked)
        == sum(bool(turn) for e in entries for turn in e.turns)
        < sum(len(e.turns) for e in entries)
    )
    assert all(turn.question for turn in asked)


def test_entries_and_their_variants_leak() -> None:
    leaks = audited(default_bank("bfcl"), evaluation_set("bfcl:train:multi_turn_miss_param")).leaks
    assert len(leaks) == 100 and leaks["multi_turn_miss_param_4"] == ["multi_turn_base_4"]


def test_entries_without_gold_are_compared_by_their_words() -> None:
    against = evaluation_set("bfcl:test:live_irrelevance,live_simple")
    handled = {turn.category for turn in against.asked if turn.handling}
    assert handled == {"live_simple"} and {turn.category for turn in against.asked} > handled


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Call("cp", {"to": "a  B\n", "n": 2.0, "tags": ("X",)}), True),
        (Call("cp", {"tags": ["x"], "n": 2, "to": "A b"}), True),
        (Call("cp", {"to": "ab", "n": 2, "tags": ["x"]}), False),
        (Call("cp", {"to": "a b", "n": "2", "tags": ["x"]}), False),
        (Call("cp", {"to": "a b", "n": 2}), False),
        (Call("mv", {"to": "a b", "n": 2, "tags": ["x"]}), False),
    ],
)
def test_calls_are_equal_but_for_case_whitespace_and_json(other: Call, same: bool) -> None:
    call = Call("cp", {"to": "a b", "n": 2, "tags": ["x"]})
    assert (calls_form([call]) == calls_form([other])) is same
    assert calls_form([call, Call("ls", {})]) != calls_form([Call("ls", {}), call])


def test_items_of_unknown_sources_are_counted() -> None:
    bank = default_bank("bfcl")
    items = [bank.items[0].model_copy(update={"sources": ()}), *bank.items[1:]]
    against = evaluation_set("bfcl:test:multi_turn_base")
    found = audited(make_bank(items, bank.card), replace(against, asked=against.asked[:3]))
    assert found.unknown_sources == 1 and found.items == len(bank.items)


def test_appworld_is_compared_by_instruction_code_and_scenario() -> None:
    bank = default_bank("appworld-mini")
    item = bank.items[0]
    joined = "# other layout\n" + "\n\n".join(step.code for step in item.steps)
    cut = item.model_copy(update={"steps": (item.steps[0].model_copy(update={"code": joined}),)})
    found = audited(replace(bank, items=(cut, *bank.items[1:])), evaluation_set("appworld:mini_train"))
    first = next(f for f in found.findings if f.asked.entry == item.sources[0])
    assert item.id in first.same_handling and item.id in first.same_question
    assert found.leaks.keys() == bank.sources
    assert item.sources[0] in found.leaks[bank.items[1].sources[0]]  # a variant of the same scenario
    other = audited(bank, evaluation_set("appworld:mini_test"))
    assert not other.leaks and not any(f.same_question or f.same_handling for f in other.findings)
    assert all(
        load_demonstration("mini", f.asked.entry)["steps"] and f.asked.handling for f in other.findings
    )


class _ByLength:
    """An embedder for which texts of like length are near."""

    name = "by_length"
    threshold: float | None = 0.5

    async def encode(self, texts: Sequence[str]) -> embed.Vectors:
        """Angles in the plane."""
        angles = np.asarray([min(len(text), 999) / 999 for text in texts]) * np.pi / 2
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_a_bank_with_vectors_is_searched_by_its_own_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(embed.EMBEDDERS, "by_length", _ByLength)
    bank = default_bank("bfcl")
    lengths = {item.id: len(item.question) for item in bank.items}
    vectors = anyio.run(_ByLength().encode, [item.question for item in bank.items])
    card = bank.card.model_copy(update={"embedder": EmbedderCard(name="by_length", dimension=2)})
    against = evaluation_set("bfcl:test:multi_turn_base")
    found = audited(make_bank(bank.items, card, vectors), replace(against, asked=against.asked[:40]))
    for finding in found.findings:
        length = len(finding.asked.question)
        best = min(abs(length - other) for other in lengths.values())
        assert abs(length - lengths[finding.embedder.item]) <= best + 1
    assert any(finding.tfidf.item != finding.embedder.item for finding in found.findings)


def test_the_command_prints_strata_and_pairs_and_writes_everything(tmp_path: Path) -> None:
    save_bank(default_bank("bfcl"), tmp_path / "bank")
    command = [
        "knowledge",
        "audit",
        str(tmp_path / "bank"),
        "--worst",
        "1",
        "-o",
        str(tmp_path / "out/a.json"),
    ]
    done = CliRunner().invoke(main, [*command, "--against", "bfcl:all:multi_turn_base"])
    assert done.exit_code == 0, done.output
    assert "bfcl:all:multi_turn_base" in done.output and done.output.count("; item ") == 1
    found = json.loads((tmp_path / "out/a.json").read_text())
    row = found["entries"]["multi_turn_base"]
    assert (row["entries"], row["same_entry"]) == (200, 100)
    assert row["novel"] + row["near"] + row["duplicate"] == 200 and row["duplicate"] == 101
    # Test entries whose only known turns are calls without arguments are no duplicates.
    assert row["only_trivial"] == 4 and row["same_handling"] == 158
    assert len(found["same_entry"]) == 100 and len(found["turns"]) == row["turns"]
    assert found["quantiles"]["tfidf_turns"]["100%"] == 1


def test_a_split_s_name_is_no_emoji(tmp_path: Path) -> None:
    save_bank(default_bank("bfcl"), tmp_path / "bank")
    command = ["knowledge", "audit", str(tmp_path / "bank"), "--against", "bfcl:train:simple_java"]
    assert "bfcl:train:simple_java" in CliRunner().invoke(main, command).output


@pytest.mark.parametrize(
    ("against", "message"),
    [
        ("agentbench:test", "Unknown benchmark 'agentbench'; choose from: appworld, bfcl"),
        ("bfcl", "Unknown split ''; choose from: all, test, train"),
        ("bfcl:dev", "Unknown split 'dev'"),
        ("bfcl:test:multi", "Unknown category 'multi'"),
        ("appworld:test", "Unknown AppWorld split 'test'; choose from: dev, mini_dev"),
        ("appworld:mini_test:base", "AppWorld has no categories"),
    ],
)
def test_an_unknown_evaluation_set_is_refused_with_the_choices(
    tmp_path: Path, against: str, message: str
) -> None:
    done = CliRunner().invoke(main, ["knowledge", "audit", str(tmp_path), "--against", against])
    assert done.exit_code == 1 and message in done.output and "Traceback" not in done.output
