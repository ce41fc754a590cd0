"""Selection: which k of the qualifying items are shown. A new way is one function and a line in SELECTORS.

Source of `top`: KATE, section 3.2; of `diverse`: maximal marginal relevance (Carbonell and Goldstein, 1998).
`cover` is ours: a set of items that together show the tools which the entry offers.
"""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kate_eval.knowledge.item import Experience

BALANCE = 0.5
"""Weight of an item's own similarity against what it adds to the items chosen before it."""
Between = Callable[[int, Sequence[int]], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Pool:
    """The items to choose from, most similar first.

    Attributes:
        items: all above the threshold that could be needed.
        similarities: to the query, in the same order.
        between: (one, others) -> similarities of one item of the pool to others, by their place in it.
        tools: functions that the entry offers; empty where that is not known.
    """

    items: Sequence[Experience]
    similarities: Sequence[float]
    between: Between
    tools: Set[str]


Selector = Callable[[Pool, int], list[int]]
"""(pool, k) -> places in the pool, in the order chosen."""


def top(pool: Pool, k: int) -> list[int]:
    """The k most similar."""
    return list(range(min(k, len(pool.items))))


def diverse(pool: Pool, k: int) -> list[int]:
    """Maximal marginal relevance: similar to the query, and unlike those chosen before."""
    every = range(len(pool.items))
    closest = np.zeros(len(pool.items), dtype=np.float32)

    def chosen(place: int) -> None:
        np.maximum(closest, pool.between(place, every), out=closest)

    return _greedy(pool, k, lambda place: -float(closest[place]), chosen)


def cover(pool: Pool, k: int) -> list[int]:
    """Similar to the query, and showing tools of the entry that those chosen before don't show."""
    shown = [item.functions & pool.tools for item in pool.items]
    if not any(shown):  # the entry doesn't say what it offers in the items' own names
        shown = [item.functions for item in pool.items]
    most = max(map(len, shown), default=0) or 1
    covered: set[str] = set()
    return _greedy(
        pool, k, lambda place: len(shown[place] - covered) / most, lambda place: covered.update(shown[place])
    )


def _greedy(pool: Pool, k: int, gain: Callable[[int], float], chosen: Callable[[int], None]) -> list[int]:
    """Take the best of what is left, k times; ties go to the more similar."""
    left = list(range(len(pool.items)))
    taken: list[int] = []
    while left and len(taken) < k:
        best = max(left, key=lambda place: BALANCE * pool.similarities[place] + (1 - BALANCE) * gain(place))
        taken.append(best)
        left.remove(best)
        chosen(best)
    return taken


SELECTORS: dict[str, Selector] = {"top": top, "diverse": diverse, "cover": cover}
