"""How near a text is to a bank, by TF-IDF: the same measure for every embedder, so that runs compare."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kate_eval.knowledge.bank import Bank


class Nearness:
    """TF-IDF over N texts (lower-cased words and pairs of words), cosine similarity."""

    def __init__(self, texts: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer: Any = TfidfVectorizer(
            ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"
        )
        try:
            self._matrix: Any = self._vectorizer.fit_transform(texts)
        except ValueError:  # no text holds a word
            self._matrix = None

    def nearest(self, text: str) -> tuple[int, float]:
        """Position of the most similar text and its similarity in [0, 1]; (-1, 0.0) if nothing is similar."""
        if self._matrix is None:
            return -1, 0.0
        row = self._matrix @ self._vectorizer.transform([text]).T
        if not row.nnz:
            return -1, 0.0
        best = int(np.argmax(row.data))
        return int(row.tocoo().row[best]), min(1.0, float(row.tocoo().data[best]))


def bank_nearness(bank: Bank) -> Nearness:
    """Nearness to the questions of a bank's items."""
    return Nearness([item.question for item in bank.items])
