"""Rows: the items of a bank in an order in which those that qualify for a search lie together.

Items of one form and the same classes are neighbours, so a search scores a few contiguous pieces and never
looks at the others.
"""

from collections import defaultdict
from collections.abc import Sequence, Set

import numpy as np
import numpy.typing as npt

from kate_eval.knowledge.item import Experience

Places = npt.NDArray[np.intp]


class Rows:
    """An order of N items.

    Attributes:
        position: of each row's item in the bank: shape (N,).
        row: of each item: shape (N,).
    """

    def __init__(self, items: Sequence[Experience]) -> None:
        members: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
        for position, item in enumerate(items):
            members[item.form, tuple(sorted(item.classes))].append(position)
        groups = sorted(members)
        self.position: Places = np.array([p for group in groups for p in members[group]], dtype=np.intp)
        self.row: Places = np.argsort(self.position)
        ends = np.cumsum([len(members[group]) for group in groups]).tolist()
        starts = [0, *ends[:-1]]
        self._groups = [
            (form, frozenset(classes), start, end)
            for (form, classes), start, end in zip(groups, starts, ends, strict=True)
        ]
        self._pieces: dict[tuple[str, frozenset[str]], tuple[slice, ...]] = {}

    def form(self, form: str) -> slice:
        """The rows of a form: one piece."""
        found = self.pieces(form, frozenset())
        return found[0] if found else slice(0, 0)

    def pieces(self, form: str, classes: Set[str]) -> tuple[slice, ...]:
        """The rows of a form's items that share one of the classes (empty: any), as few pieces as can be."""
        key = form, frozenset(classes)
        if key not in self._pieces:
            self._pieces[key] = tuple(self._joined(*key))
        return self._pieces[key]

    def _joined(self, form: str, classes: frozenset[str]) -> list[slice]:
        found: list[slice] = []
        for of, held, start, end in self._groups:
            if of != form or (classes and held.isdisjoint(classes)):
                continue
            if found and found[-1].stop == start:
                found[-1] = slice(found[-1].start, end)
            else:
                found.append(slice(start, end))
        return found
