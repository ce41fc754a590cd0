"""An embedder's similarity threshold, calibrated by leave-one-out on a bank's own items.

The method's 0.5 belongs to MiniLM's cosine. For another embedder: each item's question (at most 1,000,
evenly spread) searches the rest of the bank, its own source left out (and its siblings, where the
benchmark has them), among items that share a class; each of the top 3 is *relevant* if its handling uses at
least half of the functions that the query's own handling uses. The threshold is the similarity that
separates relevant from irrelevant best, by Youden's J (share of the relevant above it minus share of the
irrelevant above it): unlike F1 it does not depend on how common relevant neighbours are, so it doesn't let
everything pass in a bank of near-duplicates.
"""

from collections.abc import Callable, Sequence, Set

from kate_eval.knowledge.bank import Bank, Card, EmbedderCard
from kate_eval.knowledge.item import Experience
from kate_eval.knowledge.retrieve import Retriever

MAX_QUERIES = 1000
TOP = 3
Siblings = Callable[[str], Set[str]]


def _itself(source: str) -> Set[str]:
    return {source}


def calibrate(
    items: Sequence[Experience], siblings: Siblings = _itself, by_class: bool = True
) -> tuple[float, str]:
    """The threshold for the lexical embedder on these items, and how it was found, in words.

    Args:
        items: of one bank.
        siblings: source -> the sources that vary the same scenario, which a query must not find.
        by_class: whether items must share a class with the query, as they must when the bank is used.
    """
    judged = sorted(_judged(items, siblings, by_class), reverse=True)
    relevant = sum(label for _, label in judged)
    irrelevant = len(judged) - relevant
    if not relevant or not irrelevant:
        return 0.0, f"leave-one-out: {relevant} of {len(judged)} neighbours relevant, nothing to separate"
    best, threshold, hits = -1.0, 0.0, 0
    for taken, (similarity, label) in enumerate(judged, start=1):
        hits += label
        youden = hits / relevant - (taken - hits) / irrelevant
        if youden > best:
            best, threshold = youden, similarity
    # Items must exceed the threshold, so it is set a little below the last similarity taken.
    threshold = max(0.0, round(threshold - 1e-4, 4))
    return threshold, (
        f"leave-one-out over {min(len(items), MAX_QUERIES)} questions, best Youden's J {best:.2f} "
        f"({relevant} of {len(judged)} top-{TOP} neighbours share half of the functions)"
    )


def _judged(items: Sequence[Experience], siblings: Siblings, by_class: bool) -> list[tuple[float, int]]:
    """(similarity, 1 if relevant else 0) of each query's nearest neighbours."""
    retriever = Retriever(_uncalibrated(items))
    stride = max(1, -(-len(items) // MAX_QUERIES))
    judged = []
    for query in items[::stride]:
        needed = query.functions
        classes = frozenset(query.classes if by_class else ())
        found = retriever.search(
            query.question, query.form, classes, TOP, 0.0, exclude=siblings(query.source)
        )
        for neighbour in found:
            shared = needed & neighbour.item.functions
            judged.append((neighbour.similarity, int(2 * len(shared) >= len(needed))))
    return judged


def _uncalibrated(items: Sequence[Experience]) -> Bank:
    embedder = EmbedderCard(name="lexical", threshold=0.0, calibration="none yet")
    forms = tuple(sorted({item.form for item in items}))
    card = Card(
        benchmark=items[0].benchmark,
        forms=forms,
        split="",
        categories=(),
        data_hash="",
        engine="",
        embedder=embedder,
        license="",
        items_hash="",
    )
    return Bank(tuple(items), card)
