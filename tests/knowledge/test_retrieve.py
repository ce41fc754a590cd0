"""Retrieval by vectors, by both, and the ways of choosing; the embedder must be the bank's."""

from collections.abc import Sequence

import anyio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from kate_eval.errors import BankError
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.bank import Bank, Vectors, make_bank
from kate_eval.knowledge.card import EmbedderCard
from kate_eval.knowledge.embed import unit
from kate_eval.knowledge.item import Experience, RecordedCall
from kate_eval.knowledge.nearness import Nearness
from kate_eval.knowledge.retrieve import Query, Retriever
from kate_eval.knowledge.rows import Rows
from kate_eval.knowledge.select import SELECTORS

BANK = default_bank("bfcl")
EVERY = frozenset(name for item in BANK.items for name in item.classes)


class Letters:
    """An embedder of 26 numbers: how often each letter occurs. Counts what it is asked."""

    name = "minilm"
    threshold: float | None = None

    def __init__(self, shift: int = 0) -> None:
        self.asked: list[str] = []
        self._shift = shift

    async def encode(self, texts: Sequence[str]) -> Vectors:
        """The letters' counts, turned by `shift`: another model's space."""
        self.asked += texts
        counts = [[text.lower().count(chr(97 + n)) + 0.01 for n in range(26)] for text in texts]
        return unit(np.roll(np.array(counts, dtype=np.float32), self._shift, axis=1))


def dense(items: Sequence[Experience] = BANK.items) -> Bank:
    vectors = anyio.run(Letters().encode, [item.question for item in items])
    embedder = EmbedderCard(name="minilm", dimension=26, threshold=0.5)
    return make_bank(items, BANK.card.model_copy(update={"embedder": embedder}), vectors)


def item(name: str, question: str, *functions: str) -> Experience:
    calls = tuple(RecordedCall(name=function, arguments={}) for function in functions)
    return Experience(
        id=name,
        form="trajectory",
        benchmark="bfcl",
        sources=(name,),
        question=question,
        calls=calls,
        classes=("A",),
    )


def ids(bank: Bank, text: str, select: str = "top", k: int = 2, **more: object) -> list[str]:
    found = Retriever(bank).search(Query(text), "trajectory", frozenset(), k, 0.0, select=select, **more)  # type: ignore[arg-type]
    return [hit.item.id for hit in found]


def test_vectors_find_what_a_loop_over_all_items_finds() -> None:
    bank, embedder = dense(), Letters()
    retriever = Retriever(bank, embedder)
    assert bank.vectors is not None
    for asking in BANK.items[::60]:
        query = anyio.run(retriever.query, asking.question)
        assert query.vector is not None
        found = retriever.search(
            query, "trajectory", frozenset(asking.classes), 3, 0.5, exclude={*asking.sources}
        )
        by_hand = sorted(
            (
                (round(float(v @ query.vector), 4), one.question)
                for v, one in zip(bank.vectors, BANK.items, strict=True)
                if set(one.classes) & set(asking.classes) and not set(one.sources) & set(asking.sources)
            ),
            reverse=True,
        )
        assert [hit.similarity for hit in found] == pytest.approx([s for s, _ in by_hand[:3]], abs=2e-4)


def test_a_text_is_encoded_once_whatever_is_searched() -> None:
    embedder = Letters()
    retriever = Retriever(dense(), embedder)
    for _ in range(3):
        query = anyio.run(retriever.query, "Move the report")
        for name in EVERY:
            retriever.search(query, "trajectory", {name}, 3, 0.0)
    assert embedder.asked == [BANK.items[0].question, "Move the report"]  # the first verifies the bank


def test_an_embedder_of_another_name_is_refused_with_the_remedy() -> None:
    other = Letters()
    other.name = "openai:other"
    with pytest.raises(BankError, match=r"by 'minilm'.*'openai:other'.*embed BANK --embedder"):
        Retriever(dense(), other)


def test_an_embedder_of_the_same_name_with_other_weights_is_noticed() -> None:
    retriever = Retriever(dense(), Letters(shift=5))
    with pytest.raises(BankError, match="are not what 'minilm' makes now"):
        anyio.run(retriever.query, "Move the report")


def test_hybrid_is_the_mean_of_both_similarities() -> None:
    retriever, lexical = Retriever(dense(), Letters()), Retriever(BANK)
    query = anyio.run(retriever.query, "Post a tweet about the weather")
    size = len(BANK.items)

    def similarities(of: Retriever, match: str = "embedder") -> dict[str, float]:
        found = of.search(query, "trajectory", EVERY, size, -1.0, match=match)
        return {hit.item.id: hit.similarity for hit in found}

    both, by_vector, by_words = (
        similarities(retriever, "hybrid"),
        similarities(retriever),
        similarities(lexical),
    )
    for name in list(both)[::37]:
        assert both[name] == pytest.approx((by_vector[name] + by_words[name]) / 2, abs=2e-4)


NEAR_TWINS = [
    item("twin 1", "copy the yearly report into the archive folder", "cp"),
    item("twin 2", "copy the yearly report into the archive folders", "cp"),
    item("other", "copy the yearly draft into the archive and compare it", "cp", "diff"),
    item("far", "book a flight to Rome", "book_flight"),
]


def test_diversity_passes_over_a_near_twin() -> None:
    bank = make_bank(NEAR_TWINS, BANK.card)
    text = "copy the yearly report into the archive, and then send it"
    assert set(ids(bank, text)) == {"twin 1", "twin 2"}
    assert ids(bank, text, "diverse")[1] == "other"


def test_covering_takes_items_that_show_more_of_the_entry_s_tools() -> None:
    bank = make_bank(NEAR_TWINS, BANK.card)
    text = "copy the yearly report into the archive folder"
    assert set(ids(bank, text, "cover", tools={"cp", "diff"})) == {"twin 1", "other"}
    assert ids(bank, text, "cover", tools={"cp"}) == ["twin 1", "twin 2"]


@given(st.sampled_from(sorted(SELECTORS)), st.integers(1, 8), st.sampled_from(BANK.items))
def test_every_way_of_choosing_gives_at_most_k_different_items_above_the_threshold(
    select: str, k: int, asking: Experience
) -> None:
    found = Retriever(BANK).search(
        Query(asking.question), "trajectory", frozenset(asking.classes), k, 0.1, select=select
    )
    assert len(found) <= k and all(hit.similarity >= 0.1 for hit in found)  # shown rounded
    assert len({hit.item.content for hit in found}) == len(found)
    if found:
        assert found[0].similarity == max(hit.similarity for hit in found) or select == "cover"


def test_nearness_is_one_for_the_same_words_and_zero_for_none() -> None:
    near = Nearness([one.question for one in NEAR_TWINS])
    place, similarity = near.nearest("Book a FLIGHT to Rome!")
    assert place == 3 and similarity == pytest.approx(1.0)
    assert near.nearest("zyzzyva") == (-1, 0.0) and near.nearest("") == (-1, 0.0)
    assert Nearness(["!!!", "?"]).nearest("anything") == (-1, 0.0)
    _, half = near.nearest("book a hotel in Rome")
    assert 0.1 < half < 0.9


def test_other_forms_in_the_bank_change_no_similarity() -> None:
    summaries = [one.model_copy(update={"id": f"{one.id}/s", "form": "summary"}) for one in BANK.items[:100]]
    both = make_bank([*summaries, *BANK.items], BANK.card)
    for asking in BANK.items[::40]:
        query, classes = Query(asking.question), frozenset(asking.classes)
        alone, beside = (Retriever(b).search(query, "trajectory", classes, 3, 0.0) for b in (BANK, both))
        assert alone == beside


def test_nearness_may_pass_over_what_is_never_shown() -> None:
    near = Nearness([one.question for one in NEAR_TWINS])
    text = NEAR_TWINS[0].question
    first, similarity = near.nearest(text)
    assert first == 0 and similarity == pytest.approx(1.0)
    second, similarity = near.nearest(text, lambda position: position == 0)
    assert second == 1 and similarity < 1
    assert near.nearest(text, lambda position: True) == (-1, 0.0)


def test_nearness_is_scikit_learn_s_also_of_texts_added_later() -> None:
    texts = [one.question for one in BANK.items]
    near = Nearness(texts[:100])
    near.add([*texts[100:300], texts[0], "!!!"])
    library = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    matrix = library.fit(list(dict.fromkeys([*texts[:300], "!!!"]))).transform(texts[:300])
    for text in texts[300:]:
        cosines = (matrix @ library.transform([text]).T).toarray()[:, 0]
        place, similarity = near.nearest(text)
        assert similarity == pytest.approx(cosines.max()) and cosines[place] == pytest.approx(similarity)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sets(st.sampled_from("XYZ"))), min_size=1), st.data())
def test_pieces_hold_the_rows_that_qualify_and_no_others(
    made: list[tuple[str, set[str]]], data: st.DataObject
) -> None:
    items = [
        item(str(n), "q").model_copy(update={"form": form, "classes": tuple(held)})
        for n, (form, held) in enumerate(made)
    ]
    rows = Rows(items)
    form, wanted = data.draw(st.sampled_from("abc")), data.draw(st.sets(st.sampled_from("XYZW")))
    found = [int(place) for piece in rows.pieces(form, wanted) for place in rows.position[piece]]
    assert sorted(found) == [
        n for n, (of, held) in enumerate(made) if of == form and (not wanted or held & wanted)
    ]
    assert [int(rows.position[row]) for row in rows.row] == list(range(len(items)))
    assert len(rows.pieces(form, set())) <= 1


def test_a_good_item_is_found_behind_any_number_of_excluded_ones() -> None:
    same = [
        item(f"multi_turn_base_0/{number}", f"move the file {number}", "mv").model_copy(
            update={"sources": ("multi_turn_base_0",)}
        )
        for number in range(400)
    ]
    good = item("good", "move a folder", "mv")
    bank = make_bank([*same, good], BANK.card)
    found = Retriever(bank).search(
        Query("move the file"), "trajectory", frozenset(), 3, 0.0, exclude=frozenset({"multi_turn_base_0"})
    )
    assert [hit.item.id for hit in found] == ["good"]
