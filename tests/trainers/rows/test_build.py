"""Making rows: what the card says, what is refused, and that the same recipe makes the same rows."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from kate_eval.bfcl.data import load, load_entry, siblings
from kate_eval.errors import ConfigurationError, LeakageError, RowsError
from kate_eval.knowledge.acquire.bfcl import gold_cases
from kate_eval.knowledge.acquire.trajectory import trajectories
from kate_eval.knowledge.bank import Bank, make_bank
from kate_eval.knowledge.folder import save_bank
from kate_eval.trainers.rows import build
from kate_eval.trainers.rows.build import make_gold_rows
from kate_eval.trainers.rows.corruption import Corruptions
from kate_eval.trainers.rows.finish import Made
from kate_eval.trainers.rows.folder import load_rows
from kate_eval.trainers.rows.leak import Shown, check, evaluation_sets, require_apart
from kate_eval.trainers.rows.play import Played
from kate_eval.trainers.rows.recipe import make_recipe
from kate_eval.trainers.rows.statistics import by_characters


def make(folder: Path, **fields: object) -> Made:
    given = {"benchmark": "bfcl", "categories": ("multi_turn_base",), "limit": 6}
    recipe = make_recipe(**given | fields)
    return anyio.run(partial(make_gold_rows, recipe, folder, by_characters()))


def bank_of(split: str) -> Bank:
    acquired = gold_cases(split)
    return make_bank(trajectories(list(acquired.cases)[:20]), acquired.card)


def test_the_card_says_what_the_rows_are_made_of(tmp_path: Path) -> None:
    how = {"forms": ("trajectory",), "dropout": 0.5, "irrelevant": 0.5}
    made = make(tmp_path, knowledge=how, aggregation=3, held_out=0.34)
    held = load_rows(tmp_path)
    card, rows = held.card, [*held.train, *held.held_out]
    assert card == made.rows.card and (card.benchmark, card.split, card.mode) == ("bfcl", "train", "fc")
    assert card.counts["rows"] == len(rows) == card.counts["step"] + card.counts["aggregation"]
    assert card.counts["entries"] == card.counts["scenarios"] == 6
    assert (card.counts["train"], card.counts["held out"]) == (len(held.train), len(held.held_out))
    assert len({row.cluster for row in held.held_out}) == 2
    assert card.counts["with knowledge"] == sum(bool(row.knowledge) for row in rows) > 0
    assert card.knowledge and 0 < card.knowledge.entries < 6 and card.knowledge.items_exchanged > 0
    assert card.tokens and sum(card.tokens.histogram.values()) == len(rows)
    [leak] = card.leak
    assert (leak.against, leak.entries, leak.bank_entries) == ("bfcl:test:multi_turn", (), ())
    assert leak.turns > 1000 and leak.near >= leak.duplicate and not card.leaked
    readme = (tmp_path / "README.md").read_text()
    assert (
        readme.startswith("---\nlicense: apache-2.0") and "Tokens a row" in readme and "LEAKED" not in readme
    )
    away = {row.entry for row in held.held_out}
    assert not any(item.partition("/")[0] in away for row in rows for item in row.knowledge)


def test_no_gold_of_what_is_held_out_comes_by_a_sibling(tmp_path: Path) -> None:
    """The bank is of multi_turn_base, the rows of other variants of the same scenarios."""
    how = {"forms": ("trajectory",), "dropout": 0, "irrelevant": 0}
    make(tmp_path, categories=("multi_turn_miss_param",), limit=40, knowledge=how)
    held = load_rows(tmp_path)
    away = {sibling for row in held.held_out for sibling in siblings(row.entry)}
    shown = {item.partition("/")[0] for row in held.train for item in row.knowledge}
    assert away and len(shown) > 20 and not shown & away


def test_no_wrong_choice_to_learn_from_is_what_is_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, set[str]] = {}

    class Seen(Corruptions):
        def __init__(self, played: Sequence[Played]) -> None:
            super().__init__(played)
            self.entries = {one.entry for one in played}

        def of(self, played: Played, *given: Any) -> Any:
            asked[played.entry] = self.entries
            return super().of(played, *given)

    monkeypatch.setattr(build, "Corruptions", Seen)
    make(tmp_path, aggregation=3, held_out=0.34)
    held = load_rows(tmp_path)
    learnt, apart = ({row.entry for row in rows} for rows in (held.train, held.held_out))
    assert len(apart) == 2 and asked.keys() == learnt | apart
    assert all(asked[entry] == learnt for entry in learnt)


def test_the_same_recipe_makes_the_same_rows(tmp_path: Path) -> None:
    how = {"forms": ("trajectory",)}
    one = make(tmp_path / "1", knowledge=how, aggregation=3, seed=3)
    two = make(tmp_path / "2", knowledge=how, aggregation=3, seed=3)
    other = make(tmp_path / "3", knowledge=how | {"seed": 4}, aggregation=3, seed=4)
    assert one.rows.hash == two.rows.hash != other.rows.hash


def test_rows_of_test_entries_are_refused_or_marked(tmp_path: Path) -> None:
    for split in ("test", "all"):
        with pytest.raises(LeakageError, match=r"multi_turn_base_1\b.*--allow-leakage"):
            make(tmp_path, split=split)
    made = make(tmp_path, split="test", limit=2, allow_leakage=True)
    card = made.rows.card
    assert card.leaked and set(card.leak[0].entries) == {"multi_turn_base_1", "multi_turn_base_3"}
    assert (
        card.leak[0].same >= 7 and "no score on them means anything" in (tmp_path / "README.md").read_text()
    )


def test_a_bank_of_test_entries_is_refused_too(tmp_path: Path) -> None:
    save_bank(bank_of("test"), tmp_path / "bank")
    how = {"forms": ("trajectory",), "bank": str(tmp_path / "bank")}
    with pytest.raises(LeakageError, match="The bank was built from multi_turn_base_1"):
        make(tmp_path / "rows", knowledge=how)
    marked = make(tmp_path / "rows", knowledge=how, allow_leakage=True)
    assert marked.rows.card.leaked and "multi_turn_base_1" in marked.rows.card.leak[0].bank_entries


def test_siblings_of_test_entries_count_as_they() -> None:
    sets = evaluation_sets("bfcl", ["multi_turn_base"])
    with pytest.raises(LeakageError, match="multi_turn_long_context_7"):
        require_apart({"multi_turn_long_context_7", "multi_turn_base_8"}, None, sets, allowed=False)
    assert not require_apart({"multi_turn_base_8"}, None, sets, allowed=False)
    [single] = evaluation_sets("bfcl", ["simple_python", "live_simple"])
    assert {asked.entry.rpartition("_")[0] for asked in single.asked} == {"simple_python", "live_simple"}


def test_what_looks_alike_is_counted() -> None:
    """A test turn that a row's turn repeats, word for word and call for call."""
    [against] = evaluation_sets("bfcl", ["multi_turn_base"])
    acquired = gold_cases("test")
    copied = [item.model_copy(update={"sources": ("elsewhere_0",)}) for item in bank_of("test").items[:5]]
    [leak] = anyio.run(check, copied, acquired.card, Shown(), [against])
    # Each of the five stands in several of the four variants of its scenario.
    assert leak.same >= 5 and leak.same_question >= leak.same and not leak.entries
    assert leak.near >= leak.duplicate >= 5
    assert leak.same_handling + leak.trivial >= leak.same
    assert anyio.run(check, [], acquired.card, Shown(), [against]) == ()


def test_what_is_asked_for_is_checked(tmp_path: Path) -> None:
    for fields, reason in (
        ({"benchmark": "gsm8k"}, "Unknown benchmark 'gsm8k'; choose from: appworld, bfcl"),
        ({"benchmark": None}, "Name a benchmark"),
        ({"held_out": 1.0}, "held_out=1.0"),
        ({"aggregation": 1}, "needs two candidates"),
        ({"knowledge": {"dropout": 2}}, "knowledge.dropout=2"),
        ({"colour": "red"}, "colour"),
        ({"benchmark": "appworld", "split": "mini_train"}, "--categories does not apply"),
        ({"benchmark": "appworld", "categories": (), "split": "mini_train", "mode": "fc"}, "--mode fc"),
    ):
        with pytest.raises(ConfigurationError, match=reason):
            make(tmp_path, **fields)
    with pytest.raises(RowsError, match="no gold to make rows of"):
        make(tmp_path, categories=("live_relevance",))


def test_broken_gold_is_left_out() -> None:
    broken = [entry.id for entry in load(["multi_turn_miss_func"], "all") if entry.broken_gold]
    assert broken == ["multi_turn_miss_func_49"] and load_entry(broken[0]).index % 2
