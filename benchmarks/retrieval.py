"""Retrieval for one user turn among 100,000 items, beside the paper's way, in one run.

Ours: the query is encoded once, then one matrix product (or BM25) over all items, for all classes. The
paper's code encodes the query for each involved class and takes the cosine item by item in Python; it runs
on fewer items (--loop-items), and its time is scaled to the same number. The encoder is MiniLM where it is
installed (`make minilm`); else vectors are random, and encoding is counted but not timed.

Items are the benchmark's own user turns with their words shuffled between them, so that word frequencies are
real and no two items are equal. Each query is a real user turn.
`python benchmarks/retrieval.py` needs an environment that has kate-eval.
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median, quantiles

import anyio
import numpy as np

from kate_eval.bfcl.categories import MULTI_TURN
from kate_eval.bfcl.data import Entry, load
from kate_eval.errors import ConfigurationError
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.bank import Bank, Vectors, make_bank
from kate_eval.knowledge.card import EmbedderCard
from kate_eval.knowledge.embed import MiniLM, unit
from kate_eval.knowledge.item import Experience, RecordedCall
from kate_eval.knowledge.retrieve import Query, Retriever

BUDGET_MS = 20.0
"""For one query over 100,000 items (p95), the encoder apart."""
DIMENSION = 384
TOP, THRESHOLD = 3, 0.2
Turn = tuple[str, frozenset[str]]
"""What a user asks, and the classes of the entry."""


def questions(entries: Sequence[Entry]) -> list[str]:
    """The user texts of multi-turn entries."""
    return [message["content"] for entry in entries for turn in entry.turns for message in turn]


def items(count: int, entries: Sequence[Entry], seed: int) -> list[Experience]:
    """Items with the length and vocabulary of real ones."""
    chance = random.Random(seed)
    texts = questions(entries)
    vocabulary = [word for text in texts for word in text.split()]
    return [
        Experience(
            id=f"item/{number}",
            form="trajectory",
            benchmark="bfcl",
            sources=(f"item_{number}",),
            question=" ".join(chance.sample(vocabulary, len(texts[number % len(texts)].split()))),
            calls=(RecordedCall(name="call", arguments={"number": number}),),
            classes=entries[number % len(entries)].classes,
        )
        for number in range(count)
    ]


def random_vectors(count: int, seed: int) -> Vectors:
    """Vectors of unit length in all directions: the time of a product does not depend on them."""
    return unit(np.random.default_rng(seed).standard_normal((count, DIMENSION), dtype=np.float32))


def encoder_ms(texts: Sequence[str]) -> tuple[float | None, Vectors]:
    """Milliseconds MiniLM takes for a query (None where it is not installed), and the queries' vectors."""
    embedder = MiniLM()
    try:
        anyio.run(embedder.encode, [texts[0]])
    except ConfigurationError as ex:
        print(f"MiniLM is not here, vectors are random: {str(ex).split(':')[0]}")
        return None, random_vectors(len(texts), seed=1)
    times, vectors = [], []
    for text in texts:
        started = time.perf_counter()
        vectors.append(anyio.run(embedder.encode, [text])[0])
        times.append(1000 * (time.perf_counter() - started))
    return median(times), np.stack(vectors)


def the_papers(bank: Bank, vector: Vectors, classes: frozenset[str]) -> list[tuple[float, str]]:
    """The published code's way: class by class, item by item, then merged, sorted and cut."""
    assert bank.vectors is not None
    best: dict[str, float] = {}
    for name in classes:
        for item, held in zip(bank.items, bank.vectors, strict=True):
            if name in item.classes:
                cosine = float(np.dot(vector, held) / (np.linalg.norm(vector) * np.linalg.norm(held)))
                if cosine > THRESHOLD:
                    best[item.id] = max(best.get(item.id, -1.0), cosine)
    return sorted(((cosine, name) for name, cosine in best.items()), reverse=True)[:TOP]


@dataclass(frozen=True)
class Times:
    """Milliseconds of each query; of CPU (all threads) in the mean, which a loaded machine changes less."""

    wall: list[float]
    cpu: float


def timed(search: Callable[[int], object], count: int) -> Times:
    """The times of queries; the first is not counted."""
    search(0)
    times = []
    cpu = time.process_time()
    for number in range(count):
        started = time.perf_counter()
        search(number)
        times.append(1000 * (time.perf_counter() - started))
    return Times(times, 1000 * (time.process_time() - cpu) / count)


def say(name: str, times: Times, budget: bool = True) -> float:
    """Print a row; its median."""
    p50, p95 = median(times.wall), quantiles(times.wall, n=20)[-1]
    verdict = ("within" if p95 <= BUDGET_MS else "OVER") + f" {BUDGET_MS:g} ms" if budget else "-"
    print(f"{name:<44}{p50:>10.2f}{p95:>10.2f}{times.cpu:>10.2f}   {verdict}")
    return p50


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--loop-items", type=int, default=5_000)
    parser.add_argument("--queries", type=int, default=200)
    args = parser.parse_args()
    entries = list(load(MULTI_TURN))
    turns: list[Turn] = [
        (questions([entry])[0], frozenset(entry.classes))
        for entry in entries[:: len(entries) // args.queries]
    ][: args.queries]
    encoding, asked = encoder_ms([text for text, _ in turns])
    made = items(args.items, entries, seed=0)
    card = default_bank("bfcl").card
    dense_card = card.model_copy(update={"embedder": EmbedderCard(name="minilm", dimension=DIMENSION)})
    dense = make_bank(made, dense_card, random_vectors(args.items, seed=0))
    few = replace(
        dense, items=dense.items[: args.loop_items], vectors=random_vectors(args.loop_items, seed=0)
    )
    lexical, vectors = Retriever(make_bank(made, card)), Retriever(dense)
    lexical.prepare()

    def search(retriever: Retriever, number: int, match: str = "embedder") -> object:
        text, classes = turns[number]
        query = Query(text, asked[number])
        return retriever.search(query, "trajectory", classes, TOP, THRESHOLD, match=match)

    print(f"\n{args.items:,} items, {len(turns)} user turns{'':<18}p50 ms    p95 ms    CPU ms")
    say("ours, lexical", timed(lambda n: search(lexical, n), len(turns)))
    ours = say("ours, vectors (encoder apart)", timed(lambda n: search(vectors, n), len(turns)))
    say("ours, hybrid (encoder apart)", timed(lambda n: search(vectors, n, "hybrid"), len(turns)))
    loop = timed(lambda n: the_papers(few, asked[n], turns[n][1]), min(20, len(turns)))
    name = f"item by item, {args.loop_items:,} items (encoder apart)"
    scaled = say(name, loop, budget=False) * args.items / args.loop_items
    groups = sum(len(classes) for _, classes in turns) / len(turns)
    print(f"item by item takes {scaled / ours:,.0f} times as long at {args.items:,} items (scaled)")
    print(f"encodings a turn: 1 against {groups:.2f}", end="")
    if encoding is None:
        print(", not timed")
    else:
        total, theirs = ours + encoding, scaled + groups * encoding
        print(f"; MiniLM takes {encoding:.1f} ms each: a turn {total:.1f} ms against {theirs:,.0f} ms")


if __name__ == "__main__":
    main()
