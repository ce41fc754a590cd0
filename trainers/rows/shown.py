"""The knowledge in logged prompts: rows that show what they must not are left out and counted.

A prompt with gold of a test entry leaks as much as a row of that entry; one with gold of an entry that is
held out makes the evaluation on held-out rows mean nothing.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from kate_eval.errors import LeakageError
from kate_eval.knowledge.scenario import siblings_of
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.leak import Shown, named_entries, of_any_test
from kate_eval.trainers.rows.recipe import Recipe
from kate_eval.trainers.rows.split import held_out

MadeFrom = Mapping[str, Set[str]]
"""Id of an item -> the entries it was made from; none where that is not known."""


@dataclass(frozen=True)
class Apart:
    """Rows whose prompts show nothing that they must not.

    Attributes:
        rows: in their order.
        shown: the knowledge in their prompts.
        leaked: whether it is of test entries, which was allowed.
        notes: what was left out.
    """

    rows: list[Row]
    shown: Shown
    leaked: bool
    notes: tuple[str, ...]


def keep_apart(rows: Sequence[Row], made_from: MadeFrom, benchmark: str, recipe: Recipe) -> Apart:
    """Leave out rows that show knowledge of test entries, unless it is allowed, or of those held out.

    Raises:
        LeakageError: no row is left.
    """
    tested = of_any_test(_sources(rows, made_from), benchmark)
    allowed = recipe.allow_leakage
    clean = [row for row in rows if allowed or not _shows(row, made_from, tested)]
    if not clean:
        raise LeakageError(
            f"The prompts of all rows show knowledge made from {named_entries(sorted(tested))}: entries of "
            "the test half, or siblings of them. Take logs of runs with another bank, or make rows marked as "
            "leaked: --allow-leakage"
        )
    kept = clean
    while len(left := _without_held_out(kept, made_from, recipe)) < len(kept):
        kept = left  # of fewer scenarios others are held out
    counts = {"test entries": len(rows) - len(clean), "entries that are held out": len(clean) - len(kept)}
    sources = _sources(kept, made_from)
    unknown = {item for row in kept for item in row.knowledge if not made_from.get(item)}
    return Apart(
        kept,
        Shown(sources, len(unknown)),
        not tested.isdisjoint(sources),
        tuple(f"{n} rows: their prompts show knowledge of {what}" for what, n in counts.items() if n),
    )


def _without_held_out(rows: Sequence[Row], made_from: MadeFrom, recipe: Recipe) -> list[Row]:
    """Rows without those to learn from whose prompts show what is held out."""
    away = held_out((row.cluster for row in rows), recipe.held_out, recipe.seed)
    hidden = {s for row in rows if row.cluster in away for s in siblings_of(row.benchmark)(row.entry)}
    return [row for row in rows if row.cluster in away or not _shows(row, made_from, hidden)]


def _sources(rows: Sequence[Row], made_from: MadeFrom) -> set[str]:
    return {entry for row in rows for item in row.knowledge for entry in made_from.get(item, ())}


def _shows(row: Row, made_from: MadeFrom, entries: Set[str]) -> bool:
    return any(not entries.isdisjoint(made_from.get(item, ())) for item in row.knowledge)
