"""Approximate search in large banks with FAISS, in this process, among items of a form that share a class.

Vectors are clustered into about 2 sqrt(N) lists and kept there at one byte a dimension. A query scans the
nearest lists until it can expect to have met SCANNED qualifying items: the narrower the filter, the more
lists, so that narrow filters lose neither recall nor time. The best are scored again with the bank's own
vectors: cosines are exact, and a threshold means the same as in exact search.

Filters are bit sets over the items, kept here and not in the file: there is no query to build from names.
"""

import hashlib
import logging
import math
import os
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from kate_eval.errors import ConfigurationError

SCANNED = 32_000
"""Qualifying items to score for a query; a bank with fewer is searched whole."""
TRAINING = 64
"""Vectors a list is trained on."""
BATCH = 50_000
"""Vectors read, hashed or added at once."""
RECIPE = "ivf-sq8/1"
"""Part of the content hash: an index built another way is built again."""

Vectors = npt.NDArray[np.float32]
Bits = npt.NDArray[np.uint8]

_log = logging.getLogger(__name__)
_ONES = np.array([byte.bit_count() for byte in range(256)], dtype=np.uint8)


def _engine() -> Any:
    """FAISS; ConfigurationError if it is not installed."""
    try:
        import faiss  # an extra, and only large banks need it
    except ImportError as ex:
        raise ConfigurationError(
            f"Search in a bank of this size needs FAISS, which can't be imported ({ex}). "
            "Install it: pip install 'kate-eval[faiss]'"
        ) from ex
    return faiss


class FaissIndex:
    """Approximate search over N vectors. Read-only and safe to share between threads.

    The vectors are not copied: they may be mapped from a file, and must not change.

    Args:
        folder: of this bank's index alone; one built from other vectors is replaced.
        forms: of each item.
        classes: of each item.
        vectors: unit length, shape (N, D), N at least 1.

    Raises:
        ConfigurationError: FAISS is not installed.
        OSError: the index could not be written.
        ValueError: there are no items, or forms, classes and vectors differ in number.
    """

    def __init__(
        self, folder: Path, forms: Sequence[str], classes: Sequence[Sequence[str]], vectors: Vectors
    ) -> None:
        if not len(forms) == len(classes) == len(vectors) > 0:
            raise ValueError(
                f"{len(forms)} forms, {len(classes)} classes, {len(vectors)} vectors: must agree"
            )
        _engine()
        self._vectors = vectors
        self._of_form = _bit_sets(((form,) for form in forms), len(forms))
        self._of_class = _bit_sets(classes, len(classes))
        self._index = _opened(folder, vectors)

    def nearest(self, vector: Vectors, form: str, wanted: Set[str], count: int) -> list[tuple[int, float]]:
        """(position, cosine) of the items most similar to a vector, best first; ties in the bank's order.

        Args:
            vector: unit length, shape (D,).
            form: the items'.
            wanted: classes, of which items must have one; empty means any.
            count: how many at most.
        """
        chosen = self._chosen(form, wanted)
        matching = int(_ONES[chosen].sum())
        most = min(matching, 4 * count + 20)  # candidates: rounded cosines may swap neighbours
        if count < 1 or not matching:
            return []
        lists = int(self._index.nlist)
        expected = min(lists, math.ceil(lists * max(SCANNED, 50 * count) / matching))
        found = self._scan(vector, chosen, most, expected)
        if len(found) < most and expected < lists:  # what qualifies is not where the query is
            found = self._scan(vector, chosen, most, lists)
        cosines = self._vectors[found] @ np.asarray(vector, dtype=np.float32)
        best = np.lexsort((found, -cosines))[:count]
        return [(int(found[place]), float(cosines[place])) for place in best]

    def _scan(self, vector: Vectors, chosen: Bits, most: int, lists: int) -> npt.NDArray[np.int64]:
        """Positions of the best among the chosen items of the nearest lists, by rounded vectors."""
        faiss = _engine()
        parameters = faiss.SearchParametersIVF(nprobe=lists, sel=faiss.IDSelectorBitmap(chosen))
        query = np.ascontiguousarray(vector, dtype=np.float32)[np.newaxis]
        _, found = self._index.search(query, most, params=parameters)
        positions: npt.NDArray[np.int64] = found[0]
        return positions[positions >= 0]

    def _chosen(self, form: str, wanted: Set[str]) -> Bits:
        """The items that have the form and share a class, as bits."""
        none = np.zeros(-(-len(self._vectors) // 8), dtype=np.uint8)
        of_form = self._of_form.get(form, none)
        shared = [self._of_class.get(name, none) for name in wanted]
        return of_form & np.bitwise_or.reduce(shared) if shared else of_form


def _bit_sets(names: Iterable[Iterable[str]], count: int) -> dict[str, Bits]:
    """Name -> a bit for each item, set if the item has the name."""
    positions: dict[str, list[int]] = {}
    for position, held in enumerate(names):
        for name in held:
            positions.setdefault(name, []).append(position)
    sets = {}
    for name, having in positions.items():
        mask = np.zeros(count, dtype=np.bool_)
        mask[having] = True
        sets[name] = np.packbits(mask, bitorder="little")
    return sets


def _opened(folder: Path, vectors: Vectors) -> Any:
    """The index of these vectors: read if it is there, else built, by one process at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"faiss-{_content_hash(vectors)}.index"
    if (index := _read(file)) is not None:
        return index
    _log.info("No vector index of this bank in %s yet; one process builds it, others wait", folder)
    with FileLock(folder / ".faiss.lock"):
        if (index := _read(file)) is None:
            index = _built(vectors)
            _write(index, file)
    return index


def _content_hash(vectors: Vectors) -> str:
    digest = hashlib.sha256(f"{RECIPE} {vectors.shape}".encode())
    for start in range(0, len(vectors), BATCH):
        digest.update(np.ascontiguousarray(vectors[start : start + BATCH], dtype=np.float32).data)
    return digest.hexdigest()[:16]


def _read(file: Path) -> Any:
    """The index in a file, or None if there is none that can be read."""
    if not file.is_file():
        return None
    try:
        return _engine().read_index(str(file))
    except RuntimeError as ex:  # what FAISS raises for a file cut short
        _log.warning("%s can't be read and is built again: %s", file, ex)
        return None


def _write(index: Any, file: Path) -> None:
    """Write a file that is there whole or not at all, and remove those of other vectors."""
    aside = file.with_name(f".{file.name}.partial")
    try:
        _engine().write_index(index, str(aside))
    except RuntimeError as ex:  # what FAISS raises for a full disk
        raise OSError(f"Can't write the vector index {aside}: {ex}") from ex
    with aside.open("rb") as written:
        os.fsync(written.fileno())
    aside.replace(file)
    for old in file.parent.glob("faiss-*.index"):
        if old != file:
            old.unlink(missing_ok=True)


def _built(vectors: Vectors) -> Any:
    """An index of the vectors; reports its progress, as a million take a minute or more."""
    faiss = _engine()
    count, dimension = vectors.shape
    lists = min(count, max(1, round(2 * math.sqrt(count))))
    _log.info("Building a vector index: %s items of %s dimensions, %s lists", f"{count:,}", dimension, lists)
    coarse = faiss.IndexFlatIP(dimension)
    kind = faiss.ScalarQuantizer.QT_8bit
    index = faiss.IndexIVFScalarQuantizer(coarse, dimension, lists, kind, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 10, 1, TRAINING
    sample = np.random.default_rng(0).choice(count, min(count, TRAINING * lists), replace=False)
    index.train(np.ascontiguousarray(vectors[np.sort(sample)], dtype=np.float32))
    for start in range(0, count, BATCH):
        index.add(np.ascontiguousarray(vectors[start : start + BATCH], dtype=np.float32))
        _log.info("Vector index: %s of %s items", f"{min(count, start + BATCH):,}", f"{count:,}")
    return index
