"""An embedder that encodes each text once in a build: cases and items ask the same questions."""

from collections.abc import Sequence

import numpy as np

from kate_eval.errors import BankError
from kate_eval.knowledge.bank import Bank, Vectors
from kate_eval.knowledge.embed import Embedder


class Once:
    """Remembers the vectors of an embedder.

    Args:
        embedder: that is asked for what is new.
        bank: embedded by the same one, whose vectors are known; None: nothing is.
    """

    def __init__(self, embedder: Embedder, bank: Bank | None = None) -> None:
        self.name = embedder.name
        self.threshold = embedder.threshold
        self._embedder = embedder
        self._vectors: dict[str, Vectors] = {}
        if bank is not None and bank.vectors is not None:
            self._vectors = {item.question: v for item, v in zip(bank.items, bank.vectors, strict=True)}

    async def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of unit length: shape (len(texts), D).

        Raises:
            BankError: the embedder's vectors are of another dimension than the bank's.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if new:
            self._vectors.update(zip(new, await self._embedder.encode(new), strict=True))
        if len({vector.shape for vector in self._vectors.values()}) > 1:
            raise BankError(
                f"The embedder {self.name!r} makes vectors of another dimension than those in the bank. "
                "Embed it again: kate knowledge embed BANK"
            )
        dimension = len(next(iter(self._vectors.values()), ()))  # of no texts, too
        rows = np.array([self._vectors[text] for text in texts], dtype=np.float32)
        return rows.reshape(len(texts), dimension)
