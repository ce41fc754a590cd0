"""Retrieval: the items most similar to a query, among those that share a class with the entry.

Source: KATE, section 3.2: top k above a threshold over all involved classes, without duplicates.
Exact search; the query is embedded once.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from kate_eval.errors import BankError
from kate_eval.knowledge.bank import Bank
from kate_eval.knowledge.embed import EMBEDDERS
from kate_eval.knowledge.item import Experience


@dataclass(frozen=True)
class Retrieved:
    """An item and its similarity to the query, in [0, 1]."""

    item: Experience
    similarity: float


class Retriever:
    """Search over one bank; shared by all samples of a run.

    Raises:
        BankError: the bank was made for an embedder that is not here: its threshold would mean nothing.
    """

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        name = bank.card.embedder.name
        if name not in EMBEDDERS:
            raise BankError(
                f"The bank was made for the embedder {name!r}; this version has: {', '.join(EMBEDDERS)}. "
                "Build the bank again: kate knowledge build ..."
            )
        self._index = EMBEDDERS[name]([item.question for item in bank.items])
        self._of_form = {form: self._where(partial(_has_form, form)) for form in bank.card.forms}
        classes = {name for item in bank.items for name in item.classes}
        self._of_class = {name: self._where(partial(_has_class, name)) for name in classes}

    def search(
        self,
        query: str,
        form: str,
        classes: Set[str],
        k: int,
        threshold: float,
        exclude: Set[str] = frozenset(),
    ) -> list[Retrieved]:
        """The best items, most similar first; ties in the bank's order.

        Args:
            query: the text to search by.
            form: the knowledge form wanted.
            classes: items must share one of these; empty means any.
            k: how many at most.
            threshold: similarity that an item must exceed.
            exclude: sources whose items are left out.
        """
        scores = np.where(self._qualifies(classes, form), self._index.similarities(query), -1.0)
        found: list[Retrieved] = []
        seen: set[str] = set()
        for position in self._best_first(scores, threshold, k):
            item = self.bank.items[position]
            if item.source in exclude or item.content in seen:
                continue
            seen.add(item.content)
            found.append(Retrieved(item, round(float(scores[position]), 4)))
            if len(found) == k:
                break
        return found

    def _best_first(self, scores: npt.NDArray[np.float32], threshold: float, k: int) -> list[int]:
        """Positions above the threshold, best first; sorts only as many as could be needed."""
        above = np.flatnonzero(scores > threshold)
        enough = 50 * max(k, 1)  # room for duplicates and excluded sources
        if len(above) > enough:
            above = above[np.argpartition(-scores[above], enough)[:enough]]
        ordered: list[int] = above[np.lexsort((above, -scores[above]))].tolist()
        return ordered

    def _qualifies(self, classes: Set[str], form: str) -> npt.NDArray[np.bool_]:
        """Which items have the form and share a class: shape (N,)."""
        none = np.zeros(len(self.bank.items), dtype=np.bool_)
        of_form = self._of_form.get(form, none)
        if not classes:
            return of_form
        shared = [self._of_class[name] for name in classes if name in self._of_class]
        return of_form & np.logical_or.reduce(shared) if shared else none

    def _where(self, holds: Callable[[Experience], bool]) -> npt.NDArray[np.bool_]:
        return np.fromiter(map(holds, self.bank.items), dtype=np.bool_, count=len(self.bank.items))


def _has_form(form: str, item: Experience) -> bool:
    return item.form == form


def _has_class(name: str, item: Experience) -> bool:
    return name in item.classes
