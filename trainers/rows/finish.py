"""The end of making rows, of gold and of logs: what the card counts, the split, the lengths, the folder."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kate_eval.knowledge.acquire.write import Written
from kate_eval.knowledge.card import Card
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.card import RowsCard
from kate_eval.trainers.rows.decode import row_calls
from kate_eval.trainers.rows.folder import RowsFolder, save_rows
from kate_eval.trainers.rows.recipe import Recipe
from kate_eval.trainers.rows.split import split_rows
from kate_eval.trainers.rows.statistics import Counter as TokenCounter
from kate_eval.trainers.rows.statistics import measure
from kate_eval.trainers.rows.teacher import Text


@dataclass(frozen=True)
class Made:
    """Rows that were made.

    Attributes:
        rows: as they are on disk.
        written: what came of asking a teacher; None where there is none.
    """

    rows: RowsFolder
    written: Written[Text] | None = None


def card_of(recipe: Recipe, card: Card, mode: str, rows: Sequence[Row]) -> RowsCard:
    """The card of rows, but for what only their maker knows.

    Args:
        recipe: what was wanted.
        card: of the benchmark.
        mode: how answers act.
        rows: all of them.
    """
    counts = Counter(row.kind for row in rows)
    return RowsCard(
        benchmark=card.benchmark,
        split=card.split,
        categories=card.categories,
        mode=mode,
        seed=recipe.seed,
        held_out_share=recipe.held_out,
        data_hash=card.data_hash,
        engine=card.engine,
        license=card.license,
        aggregation=recipe.aggregation,
        counts={
            "rows": len(rows),
            **dict(sorted(counts.items())),
            "calls": sum(len(row_calls(row)) for row in rows if row.kind == "step"),
            "entries": len({row.entry for row in rows}),
            "scenarios": len({row.cluster for row in rows}),
            "with knowledge": sum(bool(row.knowledge) for row in rows),
        },
    )


def save(
    folder: Path, rows: Sequence[Row], recipe: Recipe, card: RowsCard, counter: TokenCounter
) -> RowsFolder:
    """Split, measure and write rows.

    Raises:
        RowsError: there is nothing to learn from, or two rows have one id.
        OSError: a file could not be written; older rows are still whole.
    """
    train, apart = split_rows(rows, recipe.held_out, recipe.seed)
    counts = card.counts | {"train": len(train), "held out": len(apart)}
    filled = card.model_copy(update={"tokens": measure(rows, counter), "counts": counts})
    return save_rows(folder, train, apart, filled)
