"""Rows whose prompts show knowledge that they must not are left out, whatever that leaves."""

import pytest

from kate_eval.bfcl.data import load
from kate_eval.errors import LeakageError
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.recipe import Recipe
from kate_eval.trainers.rows.shown import keep_apart
from kate_eval.trainers.rows.split import split_rows

ENTRIES = list(load(["multi_turn_base"], "train"))[:10]
RECIPE = Recipe(benchmark="bfcl", held_out=0.2)


def row(number: int, *shown: str) -> Row:
    """A row of the entry of this number whose prompt shows items."""
    entry = ENTRIES[number]
    return Row(
        id=f"{entry.id}/0/0/step",
        benchmark="bfcl",
        entry=entry.id,
        cluster=entry.cluster,
        turn=0,
        step=0,
        mode="fc",
        messages=({"role": "user", "content": "Go."},),
        completion={"role": "assistant", "content": "Done."},
        knowledge=shown,
    )


def test_what_is_held_out_after_rows_are_left_out_is_not_shown_either() -> None:
    """Of fewer scenarios fewer are held out: one that was is learnt from then, and may show no other one."""
    plain = [row(number) for number in range(10)]
    _, away = split_rows(plain, 0.2, 0)
    first, second = (ENTRIES.index(next(e for e in ENTRIES if e.id == one.entry)) for one in away)
    made_from = {entry.id: frozenset({entry.id}) for entry in ENTRIES}
    learnt = [number for number in range(10) if number not in (first, second)]
    shows = {number: [ENTRIES[first].id, ENTRIES[second].id] for number in learnt[:5]}
    shows |= {first: [ENTRIES[second].id], second: [ENTRIES[first].id]}
    rows = [row(number, *shows.get(number, ())) for number in range(10)]

    kept = keep_apart(rows, made_from, "bfcl", RECIPE).rows
    train, apart = split_rows(kept, 0.2, 0)
    hidden = {one.entry for one in apart}
    assert apart and len(train) == 3
    assert not any(hidden.intersection(one.knowledge) for one in train)


def test_gold_of_test_entries_of_other_categories_is_seen() -> None:
    tested = next(iter(load(["simple_python"], "test"))).id
    with pytest.raises(LeakageError, match=tested):
        keep_apart([row(0, "item")], {"item": frozenset({tested})}, "bfcl", RECIPE)
    learnt = next(iter(load(["simple_python"], "train"))).id
    assert keep_apart([row(0, "item")], {"item": frozenset({learnt})}, "bfcl", RECIPE).rows
