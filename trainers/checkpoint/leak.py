"""Training on rows of test entries: allowed where it was asked for, and never silent."""

from collections.abc import Iterable
from pathlib import Path

from kate_eval.trainers.checkpoint.card import CARD, load_card
from kate_eval.trainers.rows.card import RowsCard


def leaked_by(rows: RowsCard, base: str) -> tuple[str, ...]:
    """The benchmarks of whose test half a model knows: by the rows it is trained on, or by its base.

    Args:
        rows: that it is trained on.
        base: a hub name or a folder.

    Raises:
        TrainingError: the base's card can't be read.
    """
    before = load_card(Path(base)).leaked if (Path(base) / CARD).is_file() else ()
    return tuple(sorted({*before, *((rows.benchmark,) if rows.leaked else ())}))


def warning(leaked: Iterable[str]) -> str:
    """What is said of a model that was trained on test entries of these benchmarks."""
    return (
        f"LEAKED: trained on entries of the test half of {', '.join(leaked)} (kate train rows "
        "--allow-leakage): no score on it means anything"
    )
