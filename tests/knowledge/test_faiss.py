"""The approximate index: agrees with exact search, keeps to its filters, is built once."""

import logging
import subprocess
import sys
from collections.abc import Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kate_eval.errors import ConfigurationError
from kate_eval.knowledge import faiss as room
from kate_eval.knowledge.faiss import FaissIndex, Vectors

COUNT = 20_000
FORMS = ("trajectory", "intent", 'it\'s "x" OR 1=1; --')
CLASSES = ("Files", "Travel", "a' OR 'a'='a", 'say "hi"', "", "ünï\n\0")


def clustered(count: int, seed: int, dimension: int = 64) -> Vectors:
    """Unit vectors around 200 centres, the same for every seed."""
    centres = np.random.default_rng(0).standard_normal((200, dimension))
    chance = np.random.default_rng(seed)
    vectors = centres[chance.integers(200, size=count)] + 0.7 * chance.standard_normal((count, dimension))
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


class Items:
    """What an index is made of, and exact search in it."""

    def __init__(self, seed: int = 1, count: int = COUNT) -> None:
        chance = np.random.default_rng(seed)
        self.vectors = clustered(count, seed)
        self.forms = [FORMS[number] for number in chance.choice(3, size=count, p=[0.7, 0.25, 0.05])]
        self.classes = [
            [CLASSES[number] for number in chance.choice(6, size=size, replace=False)]
            for size in chance.integers(0, 4, size=count)
        ]

    def index(self, folder: Path) -> FaissIndex:
        return FaissIndex(folder, self.forms, self.classes, self.vectors)

    def qualifies(self, position: int, form: str, wanted: Set[str]) -> bool:
        shares = not wanted or not wanted.isdisjoint(self.classes[position])
        return self.forms[position] == form and shares

    def exact(self, vector: Vectors, form: str, wanted: Set[str], count: int) -> list[tuple[int, float]]:
        cosines = self.vectors @ vector
        matching = [p for p in range(len(self.forms)) if self.qualifies(p, form, wanted)]
        best = sorted(matching, key=lambda p: (-cosines[p], p))[:count]
        return [(p, float(cosines[p])) for p in best]


@pytest.fixture(scope="module")
def items() -> Items:
    return Items()


@pytest.fixture(scope="module")
def index(items: Items, tmp_path_factory: pytest.TempPathFactory) -> FaissIndex:
    pytest.importorskip("faiss")
    return items.index(tmp_path_factory.mktemp("index"))


FILTERS: list[tuple[str, Set[str]]] = [
    ("trajectory", frozenset()),
    ("trajectory", {"Files"}),
    ("intent", {"Travel", "not a class", 'say "hi"'}),
    (FORMS[2], {"a' OR 'a'='a"}),
    (FORMS[2], {"", "ünï\n\0"}),
]


@pytest.mark.parametrize("scanned", [500, room.SCANNED])
@pytest.mark.parametrize(("form", "wanted"), FILTERS)
def test_agrees_with_exact_search_among_what_qualifies(
    index: FaissIndex,
    items: Items,
    form: str,
    wanted: Set[str],
    scanned: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "SCANNED", scanned)  # 500: not all lists are scanned
    queries = clustered(40, seed=2)
    shared = 0
    for query in queries:
        found = index.nearest(query, form, wanted, 3)
        exact = items.exact(query, form, wanted, 3)
        assert all(items.qualifies(position, form, wanted) for position, _ in found)
        assert [c for _, c in found] == sorted((c for _, c in found), reverse=True)
        for position, cosine in found:
            assert cosine == pytest.approx(float(items.vectors[position] @ query), abs=1e-6)
        shared += len({p for p, _ in found} & {p for p, _ in exact})
    assert shared / (3 * len(queries)) > 0.97


@pytest.mark.parametrize(
    ("form", "wanted"),
    [("no such form", frozenset()), ("trajectory", {"no such class"}), ("x' OR 'x'='x", {"Files"})],
)
def test_nothing_qualifies(index: FaissIndex, form: str, wanted: Set[str]) -> None:
    assert index.nearest(clustered(1, seed=2)[0], form, wanted, 3) == []


def test_none_are_wanted(index: FaissIndex) -> None:
    assert index.nearest(clustered(1, seed=2)[0], "trajectory", frozenset(), 0) == []


def test_more_are_wanted_than_match(index: FaissIndex, items: Items) -> None:
    query = clustered(1, seed=2)[0]
    wanted = {"a' OR 'a'='a"}
    exact = items.exact(query, FORMS[2], wanted, COUNT)
    found = index.nearest(query, FORMS[2], wanted, COUNT)
    assert {p for p, _ in found} == {p for p, _ in exact}
    np.testing.assert_allclose([c for _, c in found], [c for _, c in exact], atol=1e-6)


def test_what_qualifies_is_far_from_the_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr(room, "SCANNED", 100)
    vectors = clustered(5000, seed=3)
    query = vectors[0]
    far = set(np.argsort(vectors @ query)[:2500].tolist())
    forms = ["far" if number in far else "near" for number in range(5000)]
    found = FaissIndex(tmp_path, forms, [()] * 5000, vectors).nearest(query, "far", frozenset(), 3)
    assert len(found) == 3 and all(position in far for position, _ in found)


def test_equal_items_keep_the_banks_order(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    vectors = np.tile(clustered(1, seed=3), (5, 1))
    found = FaissIndex(tmp_path, ["f"] * 5, [()] * 5, vectors).nearest(vectors[0], "f", frozenset(), 3)
    assert [position for position, _ in found] == [0, 1, 2]


def test_a_bank_of_one_item(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    vectors = clustered(1, seed=3)
    found = FaissIndex(tmp_path, ["f"], [["c"]], vectors).nearest(vectors[0], "f", {"c"}, 3)
    assert [(position, round(cosine, 5)) for position, cosine in found] == [(0, 1.0)]


def test_it_is_opened_again_without_building(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("faiss")
    items = Items(count=2000)
    with caplog.at_level(logging.INFO):
        first = items.index(tmp_path)
    assert "2,000 of 2,000 items" in caplog.text
    monkeypatch.setattr(room, "_built", lambda vectors: pytest.fail("built again"))
    again = items.index(tmp_path)
    query = clustered(1, seed=2)[0]
    assert again.nearest(query, "intent", {"Files"}, 3) == first.nearest(query, "intent", {"Files"}, 3)


def test_other_forms_of_the_same_vectors_need_no_building(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    items = Items(count=2000)
    items.index(tmp_path)
    monkeypatch.setattr(room, "_built", lambda vectors: pytest.fail("built again"))
    items.forms = ["another"] * 2000
    query = clustered(1, seed=2)[0]
    found = items.index(tmp_path).nearest(query, "another", {"Files"}, 3)
    assert [p for p, _ in found] == [p for p, _ in items.exact(query, "another", {"Files"}, 3)]


@pytest.mark.parametrize("change", ["one number", "order", "one item fewer"])
def test_other_vectors_are_indexed_anew(tmp_path: Path, change: str) -> None:
    pytest.importorskip("faiss")
    items = Items(count=2000)
    items.index(tmp_path)
    old = set(tmp_path.glob("faiss-*.index"))
    if change == "one number":
        items.vectors[7] = clustered(1, seed=9)[0]
    elif change == "order":
        items.vectors = items.vectors[::-1].copy()
    else:
        items.vectors, items.forms, items.classes = items.vectors[1:], items.forms[1:], items.classes[1:]
    index = items.index(tmp_path)
    assert index.nearest(items.vectors[7], items.forms[7], frozenset(), 1)[0][0] == 7
    files = set(tmp_path.glob("faiss-*.index"))
    assert len(files) == 1 and files.isdisjoint(old)


def test_a_file_cut_short_is_built_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("faiss")
    items = Items(count=2000)
    items.index(tmp_path)
    (file,) = tmp_path.glob("faiss-*.index")
    whole = file.stat().st_size
    file.write_bytes(file.read_bytes()[: whole // 2])
    index = items.index(tmp_path)
    assert "built again" in caplog.text
    assert index.nearest(items.vectors[7], items.forms[7], frozenset(), 1)[0][0] == 7
    assert file.stat().st_size == whole


BUILD = """
import sys
from pathlib import Path
import numpy as np
from kate_eval.knowledge.faiss import FaissIndex
folder = Path(sys.argv[1])
vectors = np.load(folder / "vectors.npy", mmap_mode="r")
index = FaissIndex(folder / "index", ["f"] * len(vectors), [()] * len(vectors), vectors)
print([position for position, _ in index.nearest(vectors[7], "f", frozenset(), 5)])
"""


def test_two_processes_build_at_once(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    vectors = clustered(COUNT, seed=4)
    np.save(tmp_path / "vectors.npy", vectors)
    command = [sys.executable, "-c", BUILD, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {process.communicate(timeout=300)[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(said) == 1 and said.pop().startswith("[7, ")
    assert len(list((tmp_path / "index").glob("*faiss-*"))) == 1


def test_threads_share_an_index(index: FaissIndex) -> None:
    queries = clustered(200, seed=5)
    wanted = frozenset({"Files"})
    alone = [index.nearest(query, "trajectory", wanted, 3) for query in queries]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda query: index.nearest(query, "trajectory", wanted, 3), queries))
    assert together == alone


def test_columns_must_be_of_the_same_items(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 forms, 2 classes, 2 vectors"):
        FaissIndex(tmp_path, ["f"], [(), ()], clustered(2, seed=1))


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'kate-eval\[faiss\]'"):
        FaissIndex(tmp_path, ["f"], [()], clustered(1, seed=1))
