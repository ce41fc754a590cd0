"""Banks: built from gold, saved, read back, refused when corrupt; retrieval, threshold, leak guard."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from kate_eval.bfcl.data import load
from kate_eval.errors import BankError, ConfigurationError, LeakageError
from kate_eval.knowledge.acquire import default_bank, trajectory_bank
from kate_eval.knowledge.acquire.bfcl import gold_cases
from kate_eval.knowledge.bank import Bank, make_bank
from kate_eval.knowledge.folder import load_bank, save_bank
from kate_eval.knowledge.leakage import guard
from kate_eval.knowledge.render import render_experiences
from kate_eval.knowledge.retrieve import Query, Retriever
from kate_eval.solvers.inject import Injector, open_bank
from kate_eval.solvers.parameters import make_parameters
from tests.conftest import now


def bfcl_bank(*categories: str, split: str = "train") -> Bank:
    return trajectory_bank(gold_cases(split, categories or None))


async def never(text: str) -> str:
    raise AssertionError(f"the model was asked: {text}")


def test_the_default_bank_is_the_training_half_of_multi_turn_base() -> None:
    bank = default_bank("bfcl")
    assert bank.sources == {e.id for e in load(["multi_turn_base"], "train")}
    turns = sum(bool(gold) for e in load(["multi_turn_base"], "train") for gold in e.gold)
    assert len(bank.items) == turns
    assert all(item.calls and item.classes for item in bank.items)


def test_positional_gold_arguments_get_their_names() -> None:
    calls = [call for item in bfcl_bank("multi_turn_miss_func").items for call in item.calls]
    sort = next(call for call in calls if call.name == "sort")
    assert list(sort.arguments) == ["file_name"]


def test_single_turn_banks_have_items_without_classes() -> None:
    bank = bfcl_bank("simple_python", "irrelevance")
    assert len(bank.items) == 200 and not any(item.classes for item in bank.items)


def test_a_saved_bank_reads_back_equal_and_is_replaced_whole(tmp_path: Path) -> None:
    bank = default_bank("bfcl")
    save_bank(bank, tmp_path / "bank")
    save_bank(bfcl_bank("multi_turn_base", split="all"), tmp_path / "bank")
    save_bank(bank, tmp_path / "bank")
    loaded = load_bank(tmp_path / "bank")
    assert loaded.items == bank.items and loaded.card.items_hash == bank.card.items_hash
    names = {path.name for path in (tmp_path / "bank").iterdir()}
    assert names == {".lock", "README.md", "card.json", loaded.card.items_file}


def test_a_folder_that_is_no_bank_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").touch()
    with pytest.raises(BankError, match="is no bank"):
        save_bank(default_bank("bfcl"), tmp_path / "precious")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "card.json").write_text("{"), "card.json is no JSON"),
        (lambda d: (d / "card.json").write_text('{"schema_version": 99}'), "schema version 99"),
        (lambda d: (d / "card.json").write_text('{"schema_version": 1}'), "schema version 1; this version"),
        (lambda d: (d / "card.json").write_text('{"schema_version": 2}'), "field benchmark"),
        (lambda d: _items(d).unlink(), "Can't read"),
        (lambda d: _items(d).write_text(""), "has no items"),
        (lambda d: _items(d).write_text('{"id": 1}\n'), "jsonl, line 1: field id"),
        (lambda d: _items(d).open("a").write("\n"), "line 372"),
        (lambda d: _items(d).write_bytes(b"\xff\n"), "is no UTF-8"),
        (lambda d: _drop_line(_items(d)), "hash differs"),
        (lambda d: _twice(_items(d)), "line 2: field id: .* stands in line 1"),
        (lambda d: _point_elsewhere(d / "card.json"), "no name of a file in its folder"),
    ],
)
def test_a_corrupt_bank_is_refused_by_file_line_and_field(
    tmp_path: Path, damage: object, message: str
) -> None:
    save_bank(default_bank("bfcl"), tmp_path / "bank")
    damage(tmp_path / "bank")  # type: ignore[operator]
    with pytest.raises(BankError, match=message) as error:
        load_bank(tmp_path / "bank")
    assert "kate knowledge build" in str(error.value)


def _items(folder: Path) -> Path:
    [file] = folder.glob("items-*.jsonl")
    return file


def _twice(file: Path) -> None:
    """The first item again, with a hash that fits."""
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0], *lines]))
    card = json.loads((file.parent / "card.json").read_text())
    card["items_hash"] = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    (file.parent / "card.json").write_text(json.dumps(card))


def _point_elsewhere(card: Path) -> None:
    card.write_text(json.dumps(json.loads(card.read_text()) | {"items_file": "../../secret.jsonl"}))


def _drop_line(file: Path) -> None:
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))


def test_a_missing_bank_names_those_found_beside_it(tmp_path: Path) -> None:
    save_bank(default_bank("bfcl"), tmp_path / "mine")
    with pytest.raises(BankError, match="found beside it: mine"):
        load_bank(tmp_path / "yours")


def test_a_bank_of_another_benchmark_is_refused(tmp_path: Path) -> None:
    save_bank(default_bank("bfcl"), tmp_path / "bank")
    card = json.loads((tmp_path / "bank/card.json").read_text())
    (tmp_path / "bank/card.json").write_text(json.dumps(card | {"benchmark": "appworld"}))
    with pytest.raises(BankError, match=r"is of appworld, the task is bfcl"):
        open_bank(str(tmp_path / "bank"), ["trajectory"])("bfcl")


def test_items_share_a_class_and_exceed_the_threshold_most_similar_first() -> None:
    bank = default_bank("bfcl")
    question = "Post a tweet that says hello and mention a friend"
    found = Retriever(bank).search(Query(question), "trajectory", frozenset({"TwitterAPI"}), 3, 0.1)
    assert 0 < len(found) <= 3
    assert all("TwitterAPI" in hit.item.classes and hit.similarity > 0.1 for hit in found)
    assert [h.similarity for h in found] == sorted((h.similarity for h in found), reverse=True)
    assert len({hit.item.question for hit in found}) == len(found)


def test_an_item_s_own_question_is_most_similar_to_itself() -> None:
    bank = default_bank("bfcl")
    retriever = Retriever(bank)
    for item in bank.items[::25]:
        best = retriever.search(Query(item.question), "trajectory", frozenset(item.classes), 1, 0.0)[0]
        assert best.item.question == item.question and best.similarity > 0.5


def test_words_of_no_item_make_nothing_similar() -> None:
    retriever = Retriever(default_bank("bfcl"))
    assert not retriever.search(Query("zyzzyva quux flibbertigibbet"), "trajectory", frozenset(), 3, 0.0)
    assert not retriever.search(Query(""), "trajectory", frozenset(), 3, 0.0)


def test_the_threshold_is_calibrated_by_leave_one_out_and_lets_most_turns_through() -> None:
    bank = default_bank("bfcl")
    threshold = bank.card.embedder.threshold
    assert 0.05 < threshold < 0.5 and "leave-one-out" in bank.card.embedder.calibration
    retriever = Retriever(bank)
    entries = list(load(["multi_turn_base"], "test"))
    hits = [
        bool(retriever.search(Query(turn[-1]["content"]), "trajectory", frozenset(e.classes), 3, threshold))
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
        Query("Copy the report into the archive folder"),
        "trajectory",
        frozenset({"GorillaFileSystem"}),
        3,
        0.0,
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
    shelf = open_bank(None, ["trajectory"])("bfcl")
    injector = Injector(make_parameters(knowledge="trajectory", threshold=0.999), episode, shelf)
    turn = episode.next_turn()
    assert turn is not None
    done = now(injector.inject(turn, never))
    assert done.messages == list(turn.messages) and not done.used and injector.nearest(turn) > 0


def test_items_may_hold_any_character(tmp_path: Path) -> None:
    bank = default_bank("bfcl")
    odd = bank.items[0].model_copy(update={"question": "line\u2028separator \u0085 and $question"})
    made = make_bank([odd, *bank.items[1:]], bank.card)
    save_bank(made, tmp_path / "bank")
    assert load_bank(tmp_path / "bank").items[0] == odd


def test_a_bank_for_an_embedder_that_is_not_here_is_refused() -> None:
    bank = default_bank("bfcl")
    embedder = bank.card.embedder.model_copy(update={"name": "word2vec"})
    with pytest.raises(ConfigurationError, match="Unknown embedder 'word2vec'; choose from: lexical, minilm"):
        Retriever(replace(bank, card=bank.card.model_copy(update={"embedder": embedder})))


def test_a_form_without_a_template_is_refused() -> None:
    bank = default_bank("bfcl")
    other = tuple(item.model_copy(update={"form": "haiku"}) for item in bank.items)
    with pytest.raises(BankError, match="no items of form 'haiku'; it has: none that can be shown"):
        replace(bank, items=other).require_forms(["haiku"])
