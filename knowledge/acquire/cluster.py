"""Clusters of questions, by scikit-learn's k-means; k by silhouette.

Source: KATE, section 3.1: k from 2 to 14. Questions are compared by their vectors, or, with the lexical
embedder, by TF-IDF. Fewer than MIN_TEXTS different questions make one cluster.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from kate_eval.knowledge.bank import Vectors

MIN_K, MAX_K = 2, 14
MIN_TEXTS = 4
SEED = 0


def clusters(texts: Sequence[str], vectors: Vectors | None = None) -> list[list[int]]:
    """Groups of places in `texts`, each with those nearest to its centre first; larger groups first.

    Args:
        texts: the questions.
        vectors: of the questions, shape (len(texts), D); None: by their words.
    """
    if len(set(texts)) < MIN_TEXTS:
        return [list(range(len(texts)))] if texts else []
    if vectors is None:
        return _lexical_clusters(tuple(texts))
    return _clusters(texts, vectors)


@lru_cache(maxsize=64)
def _lexical_clusters(texts: tuple[str, ...]) -> list[list[int]]:
    """Kept, because a build that estimates its cost first clusters twice."""
    return _clusters(texts, _by_words(texts))


def _clusters(texts: Sequence[str], points: Any) -> list[list[int]]:
    fits = [_fit(points, k) for k in range(MIN_K, min(MAX_K, len(set(texts)) - 1) + 1)]
    best = max(fits, key=lambda fit: _silhouette(points, fit.labels_))
    distances = best.transform(points)
    groups = []
    for label in range(best.n_clusters):
        members = np.flatnonzero(best.labels_ == label)
        if len(members):
            groups.append([int(m) for m in members[np.argsort(distances[members, label], kind="stable")]])
    return sorted(groups, key=lambda group: (-len(group), group[0]))


def _by_words(texts: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(token_pattern=r"(?u)\b\w+\b").fit_transform(texts)


def _fit(points: Any, k: int) -> Any:
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=4, random_state=SEED).fit(points)


def _silhouette(points: Any, labels: Any) -> float:
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(points, labels)) if len(set(labels)) > 1 else -1.0
