"""Knowledge in rows: never the entry's own, some get none, some items don't qualify; all from the seed."""

from collections.abc import Sequence
from typing import Any

import pytest

from kate_eval.bfcl.data import load, load_entry, siblings
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.errors import BankError, ConfigurationError
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.bank import Bank
from kate_eval.knowledge.retrieve import Query, Retriever
from kate_eval.trainers.rows.bfcl import play_entry
from kate_eval.trainers.rows.knowledge import Augmentation, Augmenter, Noise
from kate_eval.trainers.rows.play import Played
from kate_eval.trainers.rows.source import Injection
from tests.conftest import now

ENTRIES = [entry.id for entry in load(["multi_turn_base"], "train")][:12]


def augmenter(away: frozenset[str] = frozenset(), **fields: Any) -> Augmenter:
    return Augmenter(Augmentation.model_validate({"forms": ("trajectory",), **fields}), "bfcl", away)


def played(entries: Sequence[str], by: Augmenter) -> list[Played]:
    return [now(play_entry(load_entry(one), "fc", Injection(by.injector))) for one in entries]


def shown(one: Played) -> list[tuple[str, ...]]:
    return [turn.knowledge for turn in one.turns]


def test_no_item_is_of_the_entry_its_siblings_or_what_is_held_out() -> None:
    away = frozenset(siblings("multi_turn_base_2") | siblings("multi_turn_base_40"))
    free = [shown(one) for one in played(ENTRIES, augmenter(dropout=0, irrelevant=0.3))]
    found = [shown(one) for one in played(ENTRIES, augmenter(away, dropout=0, irrelevant=0.3))]
    for entry, turns in zip(ENTRIES, found, strict=True):
        sources = {item.partition("/")[0] for turn in turns for item in turn}
        assert not sources & (siblings(entry) | away)
    assert sum(bool(turn) for turns in found for turn in turns) > len(ENTRIES)
    assert any(item.partition("/")[0] in away for turns in free for turn in turns for item in turn)


def test_dropout_is_by_entry_and_from_the_seed() -> None:
    entries = [BfclEpisode(load_entry(entry.id), "fc") for entry in load(["multi_turn_base"], "train")]

    def without(**fields: Any) -> list[bool]:
        by = augmenter(**fields)
        return [by.injector(episode) is None for episode in entries]

    some = without(seed=1, dropout=0.3)
    assert 15 <= sum(some) <= 45  # of 100
    assert without(seed=1, dropout=0.3) == some != without(seed=2, dropout=0.3)
    assert not any(without(dropout=0)) and all(without(dropout=1))


def test_an_exchanged_item_does_not_qualify_and_takes_the_others_place() -> None:
    bank: Bank = default_bank("bfcl")
    threshold = bank.card.embedder.threshold
    query, classes = Query("Copy the report into the archive folder."), {"GorillaFileSystem"}
    right = Retriever(bank).search(query, "trajectory", classes, 3, threshold)
    every = Retriever(bank).search(query, "trajectory", classes, len(bank.items), threshold)
    qualified = {hit.item.content for hit in every}
    noise = Noise(bank, 1.0, 0)
    found = noise.search(query, "trajectory", classes, 3, threshold)
    assert len(right) == len(found) == noise.exchanged == 3
    assert [hit.similarity for hit in found] == [hit.similarity for hit in right]
    assert not qualified & {hit.item.content for hit in found}
    assert len({hit.item.id for hit in found}) == 3
    assert [
        hit.item.id for hit in Noise(bank, 1.0, 0).search(query, "trajectory", classes, 3, threshold)
    ] == [hit.item.id for hit in found]
    assert Noise(bank, 0.0, 0).search(query, "trajectory", classes, 3, threshold) == right


def test_about_the_share_of_items_is_exchanged_and_the_card_says_how_many() -> None:
    plain = augmenter(dropout=0, irrelevant=0)
    noisy = augmenter(dropout=0, irrelevant=0.2)
    before, after = played(ENTRIES, plain), played(ENTRIES, noisy)
    pairs = [
        (a, b)
        for one, other in zip(before, after, strict=True)
        for x, y in zip(shown(one), shown(other), strict=True)
        for a, b in zip(x, y, strict=True)
    ]
    changed = sum(a != b for a, b in pairs)
    assert 0.1 < changed / len(pairs) < 0.35
    assert (plain.card(0).items_exchanged, noisy.card(7).items_exchanged) == (0, changed)
    card = noisy.card(7)
    assert (card.entries, card.bank, card.forms, card.irrelevant) == (7, "default", ("trajectory",), 0.2)
    assert card.threshold == default_bank("bfcl").card.embedder.threshold


def test_what_can_t_be_had_is_said() -> None:
    with pytest.raises(BankError, match="no items of form 'summary'"):
        augmenter(forms=("summary",))
    with pytest.raises(BankError, match="No bank in"):
        augmenter(bank="/nowhere")
    with pytest.raises(ConfigurationError, match="Unknown select 'best'"):
        augmenter(select="best")
