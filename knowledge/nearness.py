"""How near a text is to a bank, by TF-IDF: the same measure for every embedder, so that runs compare."""

from collections.abc import Callable, Sequence
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
            # Several forms of one turn repeat its question, which must not make its words look common.
            self._vectorizer.fit(list(dict.fromkeys(texts)))
            self._matrix: Any = self._vectorizer.transform(texts)
        except ValueError:  # no text holds a word
            self._matrix = None

    def nearest(self, text: str, skip: Callable[[int], bool] | None = None) -> tuple[int, float]:
        """Position of the most similar text and its similarity in [0, 1]; (-1, 0.0) if nothing is similar.

        Args:
            text: what is asked about.
            skip: positions that don't count.
        """
        if self._matrix is None:
            return -1, 0.0
        column = (self._matrix @ self._vectorizer.transform([text]).T).tocoo()
        for place in np.argsort(-column.data, kind="stable"):
            position = int(column.row[place])
            if skip is None or not skip(position):
                return position, min(1.0, float(column.data[place]))
        return -1, 0.0


def bank_nearness(bank: Bank) -> Nearness:
    """Nearness to the questions of a bank's items."""
    return Nearness([item.question for item in bank.items])
