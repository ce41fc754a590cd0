"""Vector search in a bank of a million items: milliseconds and recall against bars of 50 ms and 0.97.

Side by side: the exact matrix product, our FAISS index, LanceDB if it is installed; and, on fewer items, the
cosine taken item by item. Items are drawn around many centres of very different sizes, a third of which a
topic shares; their classes follow the centre. Queries are drawn the same way and are no items.
`python benchmarks/vector_index.py` needs an environment that has kate-eval, FAISS and 6 GB of memory.
"""

import argparse
import importlib.metadata
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Any

import numpy as np
import numpy.typing as npt

from kate_eval.knowledge.faiss import FaissIndex

BUDGET_MS = 50.0
"""For one query (p95)."""
RECALL = 0.97
"""Of the 3 best, on average over the queries."""
TOP = 3
DIMENSION = 384
CENTRES = 8000
CLASSES = [f"class {number}" for number in range(8)]
SHARES = {"trajectory": 0.6, "intent": 0.3, "summary": 0.095, "rare": 0.005}
"""Form -> its share of the items."""

Floats = npt.NDArray[np.float32]
Positions = Sequence[int]


@dataclass(frozen=True)
class Filter:
    """What a query asks for: the items of a form ("" is any) that share a class (none: any)."""

    form: str
    wanted: frozenset[str]


@dataclass(frozen=True)
class Workload:
    """Items and queries: vectors of shape (N, D) and (Q, D), unit length."""

    vectors: Floats
    forms: list[str]
    classes: list[list[str]]
    queries: Floats
    wanted: list[frozenset[str]]

    def filters(self) -> dict[str, list[Filter]]:
        """Name -> a filter for each query."""
        none: frozenset[str] = frozenset()
        return {
            "no filter": [Filter("", none) for _ in self.wanted],
            "form (60%)": [Filter("trajectory", none) for _ in self.wanted],
            "form (60%), classes": [Filter("trajectory", wanted) for wanted in self.wanted],
            "form (9.5%), classes": [Filter("summary", wanted) for wanted in self.wanted],
            "form (0.5%), classes": [Filter("rare", wanted) for wanted in self.wanted],
        }


def unit(vectors: npt.NDArray[Any]) -> Floats:
    scaled: Floats = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return scaled


def make_workload(items: int, queries: int, seed: int = 0) -> Workload:
    chance = np.random.default_rng(seed)
    topics = chance.standard_normal((200, DIMENSION), dtype=np.float32)
    spread = 0.8 * chance.standard_normal((CENTRES, DIMENSION), dtype=np.float32)
    shared = 0.5 * chance.standard_normal(DIMENSION, dtype=np.float32)
    centres = unit(topics[chance.integers(len(topics), size=CENTRES)] + spread + shared)
    directions = unit(chance.standard_normal((48, DIMENSION)))
    sizes = 1 / (np.arange(CENTRES) + 50.0) ** 0.7
    main_class = chance.integers(len(CLASSES), size=CENTRES)

    def draw(count: int) -> tuple[Floats, npt.NDArray[np.int64]]:
        near = chance.choice(CENTRES, size=count, p=sizes / sizes.sum())
        vectors = np.empty((count, DIMENSION), dtype=np.float32)
        for start in range(0, count, 100_000):
            part = near[start : start + 100_000]
            along = chance.standard_normal((len(part), 48), dtype=np.float32) @ directions / 48**0.5
            noise = chance.standard_normal((len(part), DIMENSION), dtype=np.float32) / DIMENSION**0.5
            vectors[start : start + len(part)] = unit(centres[part] + 0.75 * along + 0.45 * noise)
        return vectors, near

    def named(near: npt.NDArray[np.int64], most: int) -> Iterator[list[str]]:
        own = np.where(chance.random(len(near)) < 0.7, main_class[near], chance.integers(8, size=len(near)))
        others = chance.integers(8, size=(len(near), most - 1))
        counts = chance.integers(most, size=len(near))
        for first, more, count in zip(own.tolist(), others.tolist(), counts.tolist(), strict=True):
            yield [CLASSES[number] for number in {first, *more[:count]}]

    vectors, near = draw(items)
    asked, asked_near = draw(queries)
    forms = chance.choice(list(SHARES), size=items, p=list(SHARES.values())).tolist()
    wanted = [frozenset(names) for names in named(asked_near, 2)]
    return Workload(vectors, forms, list(named(near, 3)), asked, wanted)


class Exact:
    """One matrix product over all items; masks leave out what does not qualify."""

    name = "exact product"

    def __init__(self, work: Workload, folder: Path) -> None:
        self._vectors = work.vectors
        forms = np.array(work.forms)
        self._masks = {form: forms == form for form in SHARES}
        for name in CLASSES:
            self._masks[name] = np.fromiter((name in held for held in work.classes), np.bool_, len(forms))

    def nearest(self, vector: Floats, by: Filter) -> Positions:
        """Positions of the best, best first."""
        scores = self._vectors @ vector
        if by.form:
            mask = self._masks[by.form]
            if by.wanted:
                mask = mask & np.logical_or.reduce([self._masks[name] for name in by.wanted])
            scores = np.where(mask, scores, np.float32(-2))
        best = np.argpartition(-scores, TOP)[:TOP]
        ordered: list[int] = best[np.argsort(-scores[best])].tolist()
        return [position for position in ordered if scores[position] > -2]


class Faiss:
    """Our index. Without a filter: the same file, opened as if all items had one form."""

    name = "FAISS"

    def __init__(self, work: Workload, folder: Path) -> None:
        self.name = f"FAISS {importlib.metadata.version('faiss-cpu')}"
        count = len(work.forms)
        self._index = FaissIndex(folder, work.forms, work.classes, work.vectors)
        self._unfiltered = FaissIndex(folder, [""] * count, [()] * count, work.vectors)

    def nearest(self, vector: Floats, by: Filter) -> Positions:
        """Positions of the best, best first."""
        index = self._index if by.form else self._unfiltered
        return [position for position, _ in index.nearest(vector, by.form, by.wanted, TOP)]


class Lance:
    """LanceDB: product quantisation, 32 of sqrt(N) lists, 60 candidates scored again."""

    name = "LanceDB"

    def __init__(self, work: Workload, folder: Path) -> None:
        import lancedb
        import pyarrow as pa
        from lancedb.index import Bitmap, IvfPq

        self.name = f"LanceDB {importlib.metadata.version('lancedb')}"
        bits = [f"class{number}" for number in range(len(CLASSES))]
        flat = pa.array(work.vectors.ravel())
        columns = {
            "position": pa.array(np.arange(len(work.forms))),
            "form": pa.array([list(SHARES).index(form) for form in work.forms]),
            "vector": pa.FixedSizeListArray.from_arrays(flat, DIMENSION),
        }
        for bit, name in zip(bits, CLASSES, strict=True):
            columns[bit] = pa.array([name in held for held in work.classes])
        self._table: Any = lancedb.connect(folder).create_table("items", pa.table(columns))
        lists = round(len(work.forms) ** 0.5)
        index = IvfPq("dot", lists, num_sub_vectors=96, max_iterations=10, sample_rate=64)
        self._table.create_index("vector", config=index)
        for column in ("form", *bits):
            self._table.create_index(column, config=Bitmap())

    def nearest(self, vector: Floats, by: Filter) -> Positions:
        """Positions of the best, best first."""
        search = self._table.search(vector, vector_column_name="vector").distance_type("dot")
        if by.form:
            where = f"form = {list(SHARES).index(by.form)}"
            if by.wanted:
                where += " AND (" + " OR ".join(f"class{CLASSES.index(name)}" for name in by.wanted) + ")"
            search = search.where(where)
        search = search.limit(TOP).nprobes(32).refine_factor(20)
        positions: list[int] = search.select(["position"]).to_arrow()["position"].to_pylist()
        return positions


class Loop:
    """The paper's way: the items of each class in turn, the cosine of each item on its own."""

    name = "item by item"

    def __init__(self, work: Workload) -> None:
        self._vectors = work.vectors
        self._positions: dict[tuple[str, str], list[int]] = {}
        for position, (form, held) in enumerate(zip(work.forms, work.classes, strict=True)):
            for name in held:
                self._positions.setdefault((form, name), []).append(position)

    def nearest(self, vector: Floats, by: Filter) -> Positions:
        """Positions of the best, best first."""
        scores: dict[int, float] = {}
        for name in by.wanted:
            for position in self._positions.get((by.form, name), []):
                item = self._vectors[position]
                lengths = np.linalg.norm(item) * np.linalg.norm(vector)
                scores[position] = float(np.dot(item, vector) / lengths)
        return sorted(scores, key=lambda position: -scores[position])[:TOP]


@dataclass(frozen=True)
class Measured:
    """Milliseconds of each query, and what it found."""

    times: list[float]
    found: list[Positions]

    @property
    def p95(self) -> float:
        """Milliseconds."""
        return quantiles(self.times, n=20)[-1]

    def recall(self, truth: "Measured") -> float:
        """Share of the truth that was found."""
        pairs = zip(self.found, truth.found, strict=True)
        return mean(len(set(found) & set(best)) / max(1, len(best)) for found, best in pairs)


def measure(
    search: Callable[[Floats, Filter], Positions], queries: Floats, filters: Sequence[Filter]
) -> Measured:
    search(queries[0], filters[0])  # the first one also warms up
    times, found = [], []
    for query, by in zip(queries, filters, strict=True):
        started = time.perf_counter()
        found.append(search(query, by))
        times.append(1000 * (time.perf_counter() - started))
    return Measured(times, found)


def disk_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def engines(work: Workload, folder: Path) -> Iterator[Exact | Faiss | Lance]:
    """Each engine that is installed, built; says what that took."""
    for kind in (Exact, Faiss, Lance):
        place = folder / kind.__name__
        started = time.perf_counter()
        try:
            engine = kind(work, place)
        except ModuleNotFoundError as ex:
            print(f"{kind.name}: left out, {ex.name} is not installed")
            continue
        seconds = time.perf_counter() - started
        print(f"{engine.name}: built in {seconds:.1f} s, {disk_mb(place):,.0f} MB on disk", flush=True)
        yield engine


def row(name: str, by: str, result: Measured, exact: Measured) -> str:
    recall = result.recall(exact)
    within = result.p95 <= BUDGET_MS and recall > RECALL
    return (
        f"| {name} | {by} | {median(result.times):.1f} | {result.p95:.1f} | {recall:.4f} "
        f"| {exact.p95 / result.p95:.2f} | {'within' if within else 'OVER'} |"
    )


HEAD = "| search | filter | p50 ms | p95 ms | recall@3 | exact p95 / its p95 | verdict |\n" + "|---" * 7 + "|"


def compare(work: Workload, folder: Path) -> None:
    """Every engine with every filter, against the exact product."""
    exact: dict[str, Measured] = {}
    rows = []
    for engine in engines(work, folder):
        for name, filters in work.filters().items():
            result = measure(engine.nearest, work.queries, filters)
            rows.append(row(engine.name, name, result, exact.setdefault(name, result)))
    print(f"\n{len(work.forms):,} items; bars: p95 {BUDGET_MS:g} ms, recall {RECALL}\n\n{HEAD}")
    print("\n".join(rows), flush=True)


def compare_loop(work: Workload, folder: Path) -> None:
    """The paper's way, where it can be waited for."""
    name = "form (60%), classes"
    filters = work.filters()[name]
    exact = measure(Exact(work, folder).nearest, work.queries, filters)
    result = measure(Loop(work).nearest, work.queries, filters)
    print(f"\n{len(work.forms):,} items\n\n{HEAD}")
    print(row(Exact.name, name, exact, exact) + "\n" + row(Loop.name, name, result, exact))
    print(
        f"\nEncodings a query, which no time above includes: {mean(map(len, work.wanted)):.2f} item by item "
        "(one for each class), 1 otherwise."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--loop-items", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(make_workload(args.items, args.queries), Path(folder))
        compare_loop(make_workload(args.loop_items, args.queries), Path(folder))


if __name__ == "__main__":
    main()
