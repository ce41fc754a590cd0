"""Retrieval: the items most similar to a query, among those that share a class with the entry.

Source: KATE, section 3.2: top k above a threshold over all involved classes, without duplicates. The query
is encoded once, whatever the number of forms and classes. Search is exact up to EXACT items (a matrix
product over the rows that qualify, rows.py); beyond, an index of FAISS takes over (faiss.py), kept in the
user's cache folder.
"""

import logging
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from kate_eval.appworld import places
from kate_eval.errors import BankError, ConfigurationError
from kate_eval.knowledge.bank import Bank, Vectors, digest
from kate_eval.knowledge.card import LEXICAL
from kate_eval.knowledge.embed import Embedder, make_embedder
from kate_eval.knowledge.item import Experience
from kate_eval.knowledge.lexical import LexicalIndex
from kate_eval.knowledge.rows import Rows
from kate_eval.knowledge.select import SELECTORS, Pool

logger = logging.getLogger(__name__)

EXACT = 100_000
"""Items up to which search is exact."""
MATCHES = ("embedder", "hybrid")
"""Similarity by the bank's embedder, or the mean of that and the lexical one."""
AGREE = 0.99
"""Cosine that a vector of the bank must have with the same text encoded now."""
KEPT_QUERIES = 4096
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Query:
    """A text to search by, with its vector where the embedder makes one: shape (D,), unit length."""

    text: str
    vector: Vectors | None = None


@dataclass(frozen=True)
class Retrieved:
    """An item and its similarity to the query, in [0, 1]."""

    item: Experience
    similarity: float


class Approximate(Protocol):
    """An index over the bank's items that need not look at all of them."""

    def nearest(self, vector: Vectors, form: str, wanted: Set[str], count: int) -> list[tuple[int, float]]:
        """(position, cosine) of the best items that have the form and share a class (empty: any)."""


class Retriever:
    """Search over one bank; shared by all samples of a run.

    Args:
        bank: what is searched.
        embedder: what encodes queries; by default the one of the bank's card.

    Raises:
        BankError: the embedder is not the bank's.
    """

    def __init__(self, bank: Bank, embedder: Embedder | None = None) -> None:
        self.bank = bank
        wanted = bank.card.embedder.name
        if embedder is not None and embedder.name != wanted:
            raise BankError(
                f"The bank is embedded by {wanted!r}, and can't be searched with {embedder.name!r}: their "
                f"similarities have nothing in common. Embed it again: kate knowledge embed BANK "
                f"--embedder {embedder.name}"
            )
        self._embedder = embedder or make_embedder(wanted)
        self._known: dict[str, Query] = {}
        self._verified = False
        self._lexical_of: dict[str, LexicalIndex] = {}
        self._rows = Rows(bank.items)

    def prepare(self) -> None:
        """Build what searches need now: it may take a minute for a large bank."""
        if self._database is None and self.bank.vectors is None:
            for form in self.bank.card.forms:
                self._lexical(form)

    def _lexical(self, form: str) -> LexicalIndex:
        """The index over a form's items; apart, so that other forms in the bank change no similarity."""
        if form not in self._lexical_of:
            places = self._rows.position[self._rows.form(form)]
            questions = [self.bank.items[place].question for place in places]
            self._lexical_of[form] = LexicalIndex(questions)
        return self._lexical_of[form]

    @cached_property
    def _vectors(self) -> Vectors:
        """The vectors in the rows' order; a copy, made only where search is exact."""
        assert self.bank.vectors is not None
        return np.ascontiguousarray(self.bank.vectors[self._rows.position], dtype=np.float32)

    @cached_property
    def _database(self) -> Approximate | None:
        """The approximate index, for a bank that is too large for exact search."""
        items = self.bank.items
        if self.bank.vectors is None or len(items) <= EXACT:
            return None
        from kate_eval.knowledge.faiss import FaissIndex

        try:
            folder = places.cache() / "indexes" / digest(str((self.bank.folder or Path()).resolve()))
            return FaissIndex(folder, [i.form for i in items], [i.classes for i in items], self.bank.vectors)
        except ConfigurationError as ex:
            logger.warning("Exact search over %d items, which is slow: %s", len(items), ex)
            return None

    async def query(self, text: str) -> Query:
        """The query of a text, encoded once.

        Raises:
            BankError: the embedder is not the one that made the bank's vectors, whatever its name.
            ConfigurationError: a package or setting is missing.
            EndpointError: the embedder's endpoint failed.
        """
        if self._embedder is None:
            return Query(text)
        if text not in self._known:
            await self._verify()
            [vector] = await self._embedder.encode([text])
            while len(self._known) >= KEPT_QUERIES:
                self._known.pop(next(iter(self._known)))
            self._known[text] = Query(text, vector)
        return self._known[text]

    async def _verify(self) -> None:
        """Check once that the vectors are this embedder's: a name says little about weights."""
        vectors = self.bank.vectors
        if self._verified or self._embedder is None or vectors is None:
            return
        [again] = await self._embedder.encode([self.bank.items[0].question])
        same = again.shape == vectors[0].shape and float(again @ vectors[0]) >= AGREE
        if not same:
            raise BankError(
                f"The bank's vectors are not what {self._embedder.name!r} makes now (item "
                f"{self.bank.items[0].id}): other weights, or another endpoint. Embed it again: "
                f"kate knowledge embed {self.bank.folder or 'BANK'}"
            )
        self._verified = True

    def search(
        self,
        query: Query,
        form: str,
        classes: Set[str],
        k: int,
        threshold: float,
        exclude: Set[str] = frozenset(),
        match: str = "embedder",
        select: str = "top",
        tools: Set[str] = frozenset(),
    ) -> list[Retrieved]:
        """The best items; by default the most similar first, ties in the bank's order.

        Args:
            query: from `query`.
            form: the knowledge form wanted.
            classes: items must share one of these; empty means any.
            k: how many at most.
            threshold: similarity that an item must exceed.
            exclude: entries whose items are left out.
            match: how similarity is measured, of MATCHES.
            select: which of the qualifying items are taken, of SELECTORS.
            tools: functions that the entry offers, for the selector "cover".

        Raises:
            BankError: a hybrid search over more items than exact search takes.
        """
        looked_at = 50 * max(k, 1)  # room for duplicates and excluded sources
        while True:
            best = self._best(query, form, classes, threshold, match, looked_at)
            places = self._distinct(best, exclude)
            if len(places) >= k or len(best) < looked_at:
                break
            looked_at *= 4
        positions, similarities = list(places), list(places.values())
        items = [self.bank.items[position] for position in positions]

        def between(one: int, others: Sequence[int]) -> Scores:
            return self._between(positions[one], [positions[other] for other in others])

        chosen = SELECTORS[select](Pool(items, similarities, between, tools), k)
        return [Retrieved(items[place], similarities[place]) for place in chosen]

    def _distinct(self, best: Sequence[tuple[int, float]], exclude: Set[str]) -> dict[int, float]:
        """Position -> similarity, without duplicates and items of excluded sources, in the order given."""
        seen: set[str] = set()
        found: dict[int, float] = {}
        for position, similarity in best:
            item = self.bank.items[position]
            if not item.made_from(exclude) and item.content not in seen:
                seen.add(item.content)
                found[position] = round(similarity, 4)
        return found

    def _best(
        self, query: Query, form: str, classes: Set[str], threshold: float, match: str, count: int
    ) -> list[tuple[int, float]]:
        """(position, similarity) of qualifying items above the threshold, best first."""
        if self._database is not None and query.vector is not None:
            if match != "embedder":
                raise BankError(f"Hybrid search is exact, which ends at {EXACT:,} items: -S match=embedder")
            found = self._database.nearest(query.vector, form, classes, count)
            return [(position, cosine) for position, cosine in found if cosine > threshold]
        pieces = self._rows.pieces(form, classes)
        if not pieces:
            return []
        scores = self._similarities(query, form, pieces, match)
        above = np.flatnonzero(scores > threshold)
        if len(above) > count:
            above = above[np.argpartition(-scores[above], count)[:count]]
        positions = np.concatenate([self._rows.position[piece] for piece in pieces])[above]
        ordered = np.lexsort((positions, -scores[above]))
        return [(int(positions[place]), float(scores[above[place]])) for place in ordered]

    def _similarities(self, query: Query, form: str, pieces: Sequence[slice], match: str) -> Scores:
        """Of each item in the pieces of a form's rows to the query, in their order."""
        if self.bank.vectors is None or query.vector is None:
            return self._by_words(query.text, form, pieces)
        cosine: Scores = np.concatenate([self._vectors[piece] @ query.vector for piece in pieces])
        if match == "embedder":
            return cosine
        return (cosine + self._by_words(query.text, form, pieces)) / np.float32(2)

    def _by_words(self, text: str, form: str, pieces: Sequence[slice]) -> Scores:
        """The lexical similarity of each item in the pieces of a form's rows."""
        similarities = self._lexical(form).similarities(text)
        first = self._rows.form(form).start
        return np.concatenate([similarities[piece.start - first : piece.stop - first] for piece in pieces])

    def _between(self, one: int, others: Sequence[int]) -> Scores:
        """Similarity of an item to others of its form."""
        places = np.asarray(others, dtype=np.intp)
        vectors = self.bank.vectors
        if vectors is None:
            item = self.bank.items[one]
            rows = self._rows.form(item.form)
            similarities = self._by_words(item.question, item.form, [rows])
            chosen: Scores = similarities[self._rows.row[places] - rows.start]
            return chosen
        cosines: Scores = vectors[places] @ vectors[one]
        return cosines


def require_match(embedder: str, match: str) -> None:
    """Check that a bank can be searched in this way.

    Raises:
        BankError: hybrid search is wanted of a bank that has no vectors.
    """
    if match == "hybrid" and embedder == LEXICAL:
        raise BankError(
            "match=hybrid joins an embedder's similarity with the lexical one, but the bank is lexical "
            "only. Embed it: kate knowledge embed BANK --embedder minilm"
        )
