"""The lexical index: BM25 over the items' questions, scaled to a similarity in [0, 1].

bm25s does the scoring. BM25 has no upper bound, so a score is divided by what the query would score
against a document of average length that holds each of its words once: 1 then means "says all that the
query says". Words that no item has count in that divisor: a query mostly of unknown words is similar
to nothing.
"""

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

K1 = 1.5
B = 0.75


def words(texts: Sequence[str]) -> list[list[str]]:
    """Lowercased words of each text, without English stop words."""
    import bm25s  # when first needed: every `inspect` command imports this module

    tokens: list[list[str]] = bm25s.tokenize(
        list(texts), stopwords="en", return_ids=False, show_progress=False, allow_empty=True
    )
    return tokens


@lru_cache(maxsize=100_000)
def _words(text: str) -> list[str]:
    """A text's words, kept: a bank that grows is indexed again and again."""
    return words([text])[0]


class LexicalIndex:
    """BM25 index over N texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        tokens = [_words(text) for text in texts]
        self._count = len(tokens)
        self._frequency = Counter(word for document in tokens for word in set(document))
        import bm25s

        self._bm25: Any = bm25s.BM25(k1=K1, b=B, method="lucene")
        self._empty = not self._frequency
        if not self._empty:
            self._bm25.index(tokens, show_progress=False)

    def similarities(self, query: str) -> "npt.NDArray[np.float32]":
        """Similarity of the query to each text: shape (N,), in [0, 1]."""
        asked = sorted(set(words([query])[0]))
        known = [word for word in asked if word in self._frequency]
        if not known:
            return np.zeros(self._count, dtype=np.float32)
        ceiling = sum(self._idf(word) for word in asked) / (1 + K1)
        scores: npt.NDArray[np.float32] = self._bm25.get_scores(known)
        similarities: npt.NDArray[np.float32] = np.minimum(scores / np.float32(ceiling), np.float32(1))
        return similarities

    def _idf(self, word: str) -> float:
        """Lucene's inverse document frequency, as bm25s computes it."""
        frequency = self._frequency[word]
        return math.log(1 + (self._count - frequency + 0.5) / (frequency + 0.5))
