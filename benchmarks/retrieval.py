"""Retrieval for one query among 100,000 items: milliseconds against a budget of 20.

The items are made from the benchmark's own user turns with their words shuffled between them, so that
word frequencies are real and no two items are equal. Each query is a real user turn.
`python benchmarks/retrieval.py` needs an environment that has kate-eval.
"""

import argparse
import random
import time
from collections.abc import Sequence
from statistics import median, quantiles

from kate_eval.bfcl.categories import MULTI_TURN
from kate_eval.bfcl.data import Entry, load
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.bank import make_bank
from kate_eval.knowledge.item import Experience, RecordedCall
from kate_eval.knowledge.retrieve import Query, Retriever

BUDGET_MS = 20.0
"""For one query over 100,000 items (p95)."""


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
            turn=0,
            question=" ".join(chance.sample(vocabulary, len(texts[number % len(texts)].split()))),
            calls=(RecordedCall(name="call", arguments={"number": number}),),
            classes=entries[number % len(entries)].classes,
        )
        for number in range(count)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=500)
    args = parser.parse_args()
    entries = list(load(MULTI_TURN))
    started = time.perf_counter()
    retriever = Retriever(make_bank(items(args.items, entries, seed=0), default_bank("bfcl").card))
    print(f"{args.items:,} items made and indexed in {time.perf_counter() - started:.1f} s")
    times, hits = [], 0
    for number in range(args.queries):
        entry = entries[number % len(entries)]
        query = questions([entry])[0]
        started = time.perf_counter()
        found = retriever.search(Query(query), "trajectory", frozenset(entry.classes), k=3, threshold=0.2)
        times.append(1000 * (time.perf_counter() - started))
        hits += len(found)
    p95 = quantiles(times, n=20)[-1]
    verdict = "within" if p95 <= BUDGET_MS else "OVER"
    print(
        f"one query: p50 {median(times):.2f} ms, p95 {p95:.2f} ms, slowest {max(times):.2f} ms "
        f"({verdict} the budget of {BUDGET_MS:g} ms); {hits / args.queries:.1f} items found on average"
    )


if __name__ == "__main__":
    main()
