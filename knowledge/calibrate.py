"""An embedder's similarity threshold, calibrated by leave-one-out on a bank's own items.

The method's 0.5 belongs to MiniLM's cosine. For another embedder: each item's question (at most 1,000,
evenly spread) searches the rest of the bank, its own source left out (and its siblings, where the
benchmark has them), among items that share a class; each of the top 3 is *relevant* if its handling uses at
least half of the functions that the query's own handling uses. The threshold is the similarity that
separates relevant from irrelevant best, by Youden's J (share of the relevant above it minus share of the
irrelevant above it): unlike F1 it does not depend on how common relevant neighbours are, so it doesn't let
everything pass in a bank of near-duplicates.
"""

from collections import Counter
from collections.abc import Sequence

from kate_eval.knowledge.bank import Bank, Vectors, make_bank
from kate_eval.knowledge.card import Card, EmbedderCard
from kate_eval.knowledge.embed import Embedder
from kate_eval.knowledge.item import Experience
from kate_eval.knowledge.retrieve import Query, Retriever
from kate_eval.knowledge.scenario import Siblings, by_class, itself, siblings_of

MAX_QUERIES = 1000
TOP = 3
UNCALIBRATED = 0.15
"""Where nothing can be calibrated: about what is found on the benchmarks' training halves, lexically."""


def embedder_card(
    embedder: Embedder | None,
    items: Sequence[Experience],
    vectors: Vectors | None,
    siblings: Siblings,
    by_class: bool,
) -> EmbedderCard:
    """What a bank's card says of its embedder: the method's threshold, or one calibrated on the items.

    Args:
        embedder: None for the lexical one.
        items: those of the form that has most items with a known handling count.
        vectors: of their questions, in their order: shape (len(items), D); None for the lexical one.
        siblings: which entries a query must not find.
        by_class: whether items must share a class with the query, as they must when the bank is used.
    """
    name = embedder.name if embedder else EmbedderCard().name
    dimension = 0 if vectors is None else int(vectors.shape[1])
    own = EmbedderCard(name=name, dimension=dimension)
    if embedder is not None and embedder.threshold is not None:
        found = embedder.threshold, "the method's own"
    else:
        places = _known(items)
        chosen = None if vectors is None else vectors[places]
        found = calibrate([items[place] for place in places], siblings, by_class, chosen, own)
    return own.model_copy(update={"threshold": found[0], "calibration": found[1]})


def hybrid_threshold(bank: Bank) -> tuple[float, str]:
    """The threshold for hybrid search of a bank, a scale of its own, and how it was found."""
    of, embedder = bank.card.benchmark, bank.card.embedder
    places = _known(bank.items)
    vectors = None if bank.vectors is None else bank.vectors[places]
    items = [bank.items[place] for place in places]
    default = uncalibrated_hybrid(embedder)
    return calibrate(items, siblings_of(of), by_class(of), vectors, embedder, "hybrid", default)


def uncalibrated_hybrid(embedder: EmbedderCard) -> float:
    """The threshold for hybrid search where nothing can be calibrated: the mean, as the similarity is."""
    return round((embedder.threshold + UNCALIBRATED) / 2, 4)


def _known(items: Sequence[Experience]) -> list[int]:
    """Places of the items with a handling known to be right, of the form that has most of them."""
    right = [place for place, item in enumerate(items) if item.functions and item.origin.success]
    counts = Counter(items[place].form for place in right)
    form = max(sorted(counts), key=lambda name: counts[name], default="")
    return [place for place in right if items[place].form == form]


def calibrate(
    items: Sequence[Experience],
    siblings: Siblings = itself,
    by_class: bool = True,
    vectors: Vectors | None = None,
    embedder: EmbedderCard = EmbedderCard(),  # noqa: B008 - frozen
    match: str = "embedder",
    default: float = UNCALIBRATED,
) -> tuple[float, str]:
    """The threshold for an embedder on these items, and how it was found, in words.

    Args:
        items: of one bank and form.
        siblings: source -> the sources that vary the same scenario, which a query must not find.
        by_class: whether items must share a class with the query, as they must when the bank is used.
        vectors: of the items' questions.
        embedder: what made them; by default the lexical one.
        match: how similarity is measured, of retrieve.MATCHES.
        default: where nothing can be calibrated.
    """
    if not items:
        return default, "not calibrated: no items with a known handling; the default"
    judged = sorted(_judged(items, siblings, by_class, vectors, embedder, match), reverse=True)
    relevant = sum(label for _, label in judged)
    irrelevant = len(judged) - relevant
    if not relevant or not irrelevant:
        found = f"{relevant} of {len(judged)} neighbours relevant, nothing to separate"
        return default, f"leave-one-out: {found}; the default"
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


def _judged(
    items: Sequence[Experience],
    siblings: Siblings,
    by_class: bool,
    vectors: Vectors | None,
    embedder: EmbedderCard,
    match: str,
) -> list[tuple[float, int]]:
    """(similarity, 1 if relevant else 0) of each query's nearest neighbours."""
    retriever = Retriever(_uncalibrated(items, vectors, embedder))
    stride = max(1, -(-len(items) // MAX_QUERIES))
    judged = []
    for place in range(0, len(items), stride):
        asking = items[place]
        needed = asking.functions
        classes = frozenset(asking.classes if by_class else ())
        query = Query(asking.question, None if vectors is None else vectors[place])
        related = {name for source in asking.sources for name in siblings(source)}
        found = retriever.search(query, asking.form, classes, TOP, 0.0, exclude=related, match=match)
        for neighbour in found:
            shared = needed & neighbour.item.functions
            judged.append((neighbour.similarity, int(2 * len(shared) >= len(needed))))
    return judged


def _uncalibrated(items: Sequence[Experience], vectors: Vectors | None, embedder: EmbedderCard) -> Bank:
    card = Card(
        benchmark=items[0].benchmark, split="", data_hash="", engine="", license="", embedder=embedder
    )
    return make_bank(items, card, vectors)
