"""Banks: built from gold, saved, read back, refused when corrupt; retrieval, threshold, leak guard."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kate_eval.bfcl.data import load
from kate_eval.errors import BankError, LeakageError
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.acquire.bfcl import build_bfcl_bank
from kate_eval.knowledge.bank import load_bank, make_bank
from kate_eval.knowledge.leakage import guard
from kate_eval.knowledge.render import render_experiences
from kate_eval.knowledge.retrieve import Retriever
from kate_eval.solvers.inject import Injector, open_bank
from kate_eval.solvers.parameters import make_parameters


def test_the_default_bank_is_the_training_half_of_multi_turn_base() -> None:
    bank = default_bank("bfcl")
    assert bank.sources == {e.id for e in load(["multi_turn_base"], "train")}
    turns = sum(bool(gold) for e in load(["multi_turn_base"], "train") for gold in e.gold)
    assert len(bank.items) == turns
    assert all(item.calls and item.classes for item in bank.items)


def test_positional_gold_arguments_get_their_names() -> None:
    calls = [call for item in build_bfcl_bank(["multi_turn_miss_func"]).items for call in item.calls]
    sort = next(call for call in calls if call.name == "sort")
    assert list(sort.arguments) == ["file_name"]


def test_single_turn_banks_have_items_without_classes() -> None:
    bank = build_bfcl_bank(["simple_python", "irrelevance"])
    assert len(bank.items) == 200 and not any(item.classes for item in bank.items)


def test_a_saved_bank_reads_back_equal_and_is_replaced_whole(tmp_path: Path) -> None:
    bank = default_bank("bfcl")
    bank.save(tmp_path / "bank")
    build_bfcl_bank(["multi_turn_base"], "all").save(tmp_path / "bank")
    bank.save(tmp_path / "bank")
    assert load_bank(tmp_path / "bank") == bank
    assert [path.name for path in tmp_path.iterdir()] == ["bank"]


def test_a_folder_that_is_no_bank_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    with pytest.raises(BankError, match="is no bank"):
        default_bank("bfcl").save(tmp_path / "precious")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "card.json").write_text("{"), "card.json is no JSON"),
        (lambda d: (d / "card.json").write_text('{"schema_version": 99}'), "schema version 99"),
        (lambda d: (d / "card.json").write_text('{"schema_version": 1}'), "field benchmark"),
        (lambda d: (d / "items.jsonl").unlink(), "Can't read"),
        (lambda d: (d / "items.jsonl").write_text('{"id": 1}\n'), "items.jsonl, line 1: field"),
        (
            lambda d: (d / "items.jsonl").open("a").write((d / "items.jsonl").read_text()[:0] + "\n"),
            "line 372",
        ),
        (lambda d: _drop_line(d / "items.jsonl"), "hash differs"),
    ],
)
def test_a_corrupt_bank_is_refused_by_file_line_and_field(
    tmp_path: Path, damage: object, message: str
) -> None:
    default_bank("bfcl").save(tmp_path / "bank")
    damage(tmp_path / "bank")  # type: ignore[operator]
    with pytest.raises(BankError, match=message) as error:
        load_bank(tmp_path / "bank")
    assert "kate knowledge build" in str(error.value)


def _drop_line(file: Path) -> None:
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))


def test_a_missing_bank_names_those_found_beside_it(tmp_path: Path) -> None:
    default_bank("bfcl").save(tmp_path / "mine")
    with pytest.raises(BankError, match="found beside it: mine"):
        load_bank(tmp_path / "yours")


def test_a_bank_of_another_benchmark_is_refused(tmp_path: Path) -> None:
    default_bank("bfcl").save(tmp_path / "bank")
    card = json.loads((tmp_path / "bank/card.json").read_text())
    (tmp_path / "bank/card.json").write_text(json.dumps(card | {"benchmark": "appworld"}))
    with pytest.raises(BankError, match=r"is of appworld, the task is bfcl"):
        open_bank(str(tmp_path / "bank"), ["trajectory"])("bfcl")


def test_items_share_a_class_and_exceed_the_threshold_most_similar_first() -> None:
    bank = default_bank("bfcl")
    question = "Post a tweet that says hello and mention a friend"
    found = Retriever(bank).search(question, "trajectory", frozenset({"TwitterAPI"}), 3, 0.1)
    assert 0 < len(found) <= 3
    assert all("TwitterAPI" in hit.item.classes and hit.similarity > 0.1 for hit in found)
    assert [h.similarity for h in found] == sorted((h.similarity for h in found), reverse=True)
    assert len({hit.item.question for hit in found}) == len(found)


def test_an_item_s_own_question_is_most_similar_to_itself() -> None:
    bank = default_bank("bfcl")
    retriever = Retriever(bank)
    for item in bank.items[::25]:
        best = retriever.search(item.question, "trajectory", frozenset(item.classes), 1, 0.0)[0]
        assert best.item.question == item.question and best.similarity > 0.5


def test_words_of_no_item_make_nothing_similar() -> None:
    retriever = Retriever(default_bank("bfcl"))
    assert not retriever.search("zyzzyva quux flibbertigibbet", "trajectory", frozenset(), 3, 0.0)
    assert not retriever.search("", "trajectory", frozenset(), 3, 0.0)


def test_the_threshold_is_calibrated_by_leave_one_out_and_lets_most_turns_through() -> None:
    bank = default_bank("bfcl")
    threshold = bank.card.embedder.threshold
    assert 0.05 < threshold < 0.5 and "leave-one-out" in bank.card.embedder.calibration
    retriever = Retriever(bank)
    entries = list(load(["multi_turn_base"], "test"))
    hits = [
        bool(retriever.search(turn[-1]["content"], "trajectory", frozenset(e.classes), 3, threshold))
        for e in entries
        for turn in e.turns
    ]
    assert 0.6 < sum(hits) / len(hits) < 0.98


def test_the_guard_names_the_sibling_that_leaks() -> None:
    bank = default_bank("bfcl")
    related = frozenset(
        f"multi_turn_{kind}_4" for kind in ("base", "miss_func", "miss_param", "long_context")
    )
    with pytest.raises(LeakageError, match=r"multi_turn_miss_func_4.*built from multi_turn_base_4"):
        guard(bank, "multi_turn_miss_func_4", related)
    guard(bank, "multi_turn_base_5", frozenset({"multi_turn_base_5"}))


def test_the_most_similar_case_stands_nearest_to_the_repeated_question() -> None:
    found = Retriever(default_bank("bfcl")).search(
        "Copy the report into the archive folder", "trajectory", frozenset({"GorillaFileSystem"}), 3, 0.0
    )
    text = render_experiences("QUESTION", found)
    places = [text.index(hit.item.question) for hit in found]
    assert places == sorted(places, reverse=True)
    assert text.startswith("QUESTION") and text.endswith("QUESTION")


def test_a_form_that_the_bank_lacks_is_named() -> None:
    with pytest.raises(BankError, match="no items of form 'summary'; it has: trajectory"):
        default_bank("bfcl").require_forms(["trajectory", "summary"])


def test_injection_leaves_a_turn_untouched_if_nothing_qualifies() -> None:
    from kate_eval.bfcl.data import load_entry
    from kate_eval.bfcl.play import BfclEpisode

    episode = BfclEpisode(load_entry("multi_turn_base_1"), "fc")
    source = open_bank(None, ["trajectory"])
    injector = Injector(make_parameters(knowledge="trajectory", threshold=0.999), episode, source)
    turn = episode.next_turn()
    assert turn is not None
    messages, used = injector.inject(turn)
    assert messages == list(turn.messages) and not used


def test_items_may_hold_any_character(tmp_path: Path) -> None:
    bank = default_bank("bfcl")
    odd = bank.items[0].model_copy(update={"question": "line\u2028separator \u0085 and $question"})
    card = bank.card.model_dump(exclude={"forms", "items_hash"})
    made = make_bank([odd, *bank.items[1:]], **card)
    made.save(tmp_path / "bank")
    assert load_bank(tmp_path / "bank").items[0] == odd


def test_a_bank_for_another_embedder_is_refused() -> None:
    bank = default_bank("bfcl")
    embedder = bank.card.embedder.model_copy(update={"name": "minilm", "threshold": 0.5})
    with pytest.raises(BankError, match="'minilm'; this version has: lexical"):
        Retriever(replace(bank, card=bank.card.model_copy(update={"embedder": embedder})))


def test_a_form_without_a_template_is_refused() -> None:
    bank = default_bank("bfcl")
    other = tuple(item.model_copy(update={"form": "haiku"}) for item in bank.items)
    with pytest.raises(BankError, match="no items of form 'haiku'; it has: none that can be shown"):
        replace(bank, items=other).require_forms(["haiku"])
