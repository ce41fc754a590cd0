"""How near a text is to a bank, by TF-IDF: the same measure for every embedder, so that runs compare.

The weights are those of scikit-learn's TfidfVectorizer (sublinear, smoothed), which can't take in texts one
by one, as a bank that grows needs: counts are kept here, and weighed when they are asked about.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np

from kate_eval.knowledge.bank import Bank

_WORD = re.compile(r"\w+")


def terms(text: str) -> Counter[str]:
    """Lower-cased words and pairs of neighbouring words, counted."""
    words = _WORD.findall(text.lower())
    return Counter([*words, *(f"{first} {second}" for first, second in pairwise(words))])


class Nearness:
    """TF-IDF over N texts, cosine similarity. Texts can be added."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._number: dict[str, int] = {}
        self._frequency: list[int] = []
        self._distinct: set[str] = set()
        self._count = 0
        # One entry for each term of each text: the text, the term, 1 + ln(how often).
        self._text = np.zeros(0, dtype=np.intp)
        self._term = np.zeros(0, dtype=np.intp)
        self._often = np.zeros(0)
        self.add(texts)

    def __len__(self) -> int:
        return self._count

    def add(self, texts: Iterable[str]) -> None:
        """Take in more texts."""
        text, term, often = [], [], []
        for new in texts:
            counted = terms(new)
            numbers = [self._number.setdefault(name, len(self._number)) for name in counted]
            self._frequency += [0] * (len(self._number) - len(self._frequency))
            # Several forms of one turn repeat its question, which must not make its words look common.
            if new not in self._distinct:
                self._distinct.add(new)
                for number in numbers:
                    self._frequency[number] += 1
            text += [self._count] * len(numbers)
            term += numbers
            often += [1 + math.log(times) for times in counted.values()]
            self._count += 1
        self._text = np.append(self._text, np.array(text, dtype=np.intp))
        self._term = np.append(self._term, np.array(term, dtype=np.intp))
        self._often = np.append(self._often, np.array(often))
        self._rarity = 1 + np.log((1 + len(self._distinct)) / (1 + np.array(self._frequency, dtype=float)))
        weights = self._often * self._rarity[self._term]
        length = np.sqrt(np.bincount(self._text, weights**2, self._count))
        self._weights = weights / length[self._text]

    def nearest(self, text: str, skip: Callable[[int], bool] | None = None) -> tuple[int, float]:
        """Position of the most similar text and its similarity in [0, 1]; (-1, 0.0) if nothing is similar.

        Args:
            text: what is asked about.
            skip: positions that don't count.
        """
        asked = np.zeros(len(self._number))
        for name, times in terms(text).items():
            if (number := self._number.get(name)) is not None:
                asked[number] = (1 + math.log(times)) * self._rarity[number]
        length = float(np.linalg.norm(asked))
        if not length:
            return -1, 0.0
        cosines = np.bincount(self._text, self._weights * (asked / length)[self._term], self._count)
        for position in np.argsort(-cosines, kind="stable"):
            if cosines[position] <= 0:
                break
            if skip is None or not skip(int(position)):
                return int(position), min(1.0, float(cosines[position]))
        return -1, 0.0


def bank_nearness(bank: Bank) -> Nearness:
    """Nearness to the questions of a bank's items."""
    return Nearness(item.question for item in bank.items)
