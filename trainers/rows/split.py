"""The split of rows: by cluster (scenario), so that no variant of a held-out entry is learned from."""

import hashlib
from collections.abc import Iterable, Sequence

from kate_eval.trainers.row import Row


def held_out(clusters: Iterable[str], share: float, seed: int) -> frozenset[str]:
    """The clusters that are held out.

    They are the first of an order that depends on the seed alone: of the same clusters the same ones are
    held out, whatever rows are made of them.

    Args:
        clusters: all of them.
        share: of them; at least one is held out if it is above 0 and there are two.
        seed: another one holds out others.
    """
    distinct = set(clusters)
    count = round(share * len(distinct))
    if share > 0 and len(distinct) > 1:
        count = min(max(1, count), len(distinct) - 1)
    ordered = sorted(distinct, key=lambda cluster: hashlib.sha256(f"{seed}|{cluster}".encode()).digest())
    return frozenset(ordered[:count] if share > 0 else ())


def split_rows(rows: Sequence[Row], share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """The rows to learn from, and those held out; each in its order."""
    away = held_out((row.cluster for row in rows), share, seed)
    return [row for row in rows if row.cluster not in away], [row for row in rows if row.cluster in away]
