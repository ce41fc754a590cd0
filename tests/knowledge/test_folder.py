"""A bank on disk: vectors, crashes, two writers, and other software that reads it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import numpy as np
import pytest

from kate_eval.errors import BankError
from kate_eval.knowledge import folder as module
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.bank import Bank, Vectors, make_bank, merged_items
from kate_eval.knowledge.card import EmbedderCard
from kate_eval.knowledge.change import append, merge
from kate_eval.knowledge.folder import load_bank, save_bank

BANK = default_bank("bfcl")


def dense(count: int = 20, dimension: int = 8) -> Bank:
    """A bank with vectors, of an embedder that is never asked here."""
    vectors = np.random.default_rng(0).normal(size=(count, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    embedder = EmbedderCard(name="minilm", dimension=dimension, threshold=0.5)
    return make_bank(BANK.items[:count], BANK.card.model_copy(update={"embedder": embedder}), vectors)


def vectors_of(bank: Bank) -> Vectors:
    assert bank.vectors is not None
    return bank.vectors


def part(start: int, end: int) -> Bank:
    return make_bank(BANK.items[start:end], BANK.card)


def vectors_file(folder: Path) -> Path:
    [file] = folder.glob("embeddings-*.npy")
    return file


def test_vectors_come_back_as_they_were(tmp_path: Path) -> None:
    save_bank(dense(), tmp_path / "b")
    loaded = load_bank(tmp_path / "b")
    assert loaded.vectors is not None and np.array_equal(loaded.vectors, vectors_of(dense()))


def write_nan(file: Path) -> None:
    vectors = np.load(file)
    vectors[3, 2] = np.nan
    np.save(file, vectors)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.unlink(), r"Can't read .*\.npy, which card.json names"),
        (write_nan, "The vector of item 4 holds NaN"),
        (
            lambda file: np.save(file, np.load(file)[:, :5]),
            r"\(20, 5\); 20 items of 'minilm' need \(20, 8\)",
        ),
        (lambda file: np.save(file, np.load(file)[:7]), r"shape \(7, 8\); 20 items"),
        (lambda file: np.save(file, np.load(file).astype(np.float64)), "it holds float64"),
        (lambda file: file.write_bytes(b"vectors"), "is no numpy file"),
        (lambda file: np.save(file, np.array([{}], dtype=object), allow_pickle=True), "is no numpy file"),
    ],
)
def test_damaged_vectors_are_refused_with_the_remedy(
    damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    save_bank(dense(), tmp_path / "b")
    damage(vectors_file(tmp_path / "b"))
    with pytest.raises(BankError, match=message) as error:
        load_bank(tmp_path / "b")
    assert "kate knowledge embed" in str(error.value)


@pytest.mark.parametrize("fails_at", range(1, 5))
def test_a_crash_while_writing_leaves_the_old_bank(
    fails_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_bank(dense(10), tmp_path / "b")
    real, count = module.write_whole, 0

    def crash(path: Path, data: bytes) -> None:
        nonlocal count
        count += 1
        if count == fails_at:
            path.with_name(f".{path.name}.partial").write_bytes(data[: len(data) // 2])
            raise OSError("No space left on device")
        real(path, data)

    monkeypatch.setattr(module, "write_whole", crash)
    with pytest.raises(OSError, match="No space"):
        save_bank(dense(20), tmp_path / "b")
    assert len(load_bank(tmp_path / "b").items) == 10
    monkeypatch.setattr(module, "write_whole", real)
    save_bank(dense(20), tmp_path / "b")
    assert len(load_bank(tmp_path / "b").items) == 20
    assert len(list((tmp_path / "b").glob("items-*"))) == 1


WRITER = """
import sys, anyio
from pathlib import Path
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.change import append
bank = default_bank("bfcl")
for n in range(int(sys.argv[2]), 16, 2):
    anyio.run(append, Path(sys.argv[1]), bank.items[n : n + 1], bank.card)
"""


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "b")]
    running = [subprocess.Popen([*command, start]) for start in ("0", "1")]
    assert [process.wait(120) for process in running] == [0, 0]
    loaded = load_bank(tmp_path / "b")
    assert {item.id for item in loaded.items} == {item.id for item in BANK.items[:16]}
    json.loads((tmp_path / "b" / "card.json").read_text())


def test_merging_drops_duplicates_and_keeps_ids(tmp_path: Path) -> None:
    save_bank(part(0, 10), tmp_path / "one")
    save_bank(part(5, 15), tmp_path / "two")
    made, new = anyio.run(merge, [tmp_path / "one", tmp_path / "two"], tmp_path / "both")
    assert new == 15 and made.items == BANK.items[:15]
    assert made.card.sources == tuple(sorted({s for item in BANK.items[:15] for s in item.sources}))
    assert anyio.run(merge, [tmp_path / "two"], tmp_path / "both")[1] == 0


def test_a_duplicate_of_other_classes_is_found_by_both(tmp_path: Path) -> None:
    [one] = BANK.items[:1]
    other = one.model_copy(update={"id": "other", "classes": ("TicketAPI",)})
    [made] = merged_items([one], [other])
    assert made.id == one.id and made.classes == (*one.classes, "TicketAPI")
    save_bank(make_bank([one], BANK.card), tmp_path / "b")
    save_bank(dense(3), tmp_path / "d")
    for name in "bbdd":
        bank, new = anyio.run(append, tmp_path / name, [other], BANK.card)
        assert new == 0 and bank.items[0] == made
        loaded = load_bank(tmp_path / name)
        assert loaded.items == bank.items and (name == "b" or vectors_of(loaded).shape[0] == 3)


def test_an_id_that_is_taken_by_other_content_gets_a_digest() -> None:
    [one] = BANK.items[:1]
    other = one.model_copy(update={"question": "Something else."})
    first, second = merged_items([one], [other, other])
    assert first is one and second.id.startswith(f"{one.id}/") and second.question == "Something else."


def test_a_bank_of_another_benchmark_is_not_merged(tmp_path: Path) -> None:
    save_bank(part(0, 3), tmp_path / "b")
    other = BANK.card.model_copy(update={"benchmark": "appworld"})
    with pytest.raises(BankError, match="The bank is of bfcl, the items are of appworld"):
        anyio.run(append, tmp_path / "b", BANK.items[3:5], other)


def test_appended_items_keep_the_others_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Fake:
        name = "minilm"
        threshold = None

        async def encode(self, texts: list[str]) -> Vectors:
            asked.extend(texts)
            return np.eye(8, dtype=np.float32)[: len(texts)]

    monkeypatch.setattr("kate_eval.knowledge.change.make_embedder", lambda name: Fake())
    save_bank(dense(10), tmp_path / "b")
    made, _ = anyio.run(append, tmp_path / "b", BANK.items[8:12], BANK.card)
    assert asked == [item.question for item in BANK.items[10:12]]
    assert made.vectors is not None and np.array_equal(made.vectors[:10], vectors_of(dense(10)))
    assert np.array_equal(made.vectors[10:], np.eye(8, dtype=np.float32)[:2])


def test_datasets_opens_a_bank_s_folder(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    odd = BANK.items[0].model_copy(update={"id": "odd", "text": "text\u2028with separators"})
    save_bank(make_bank([*dense(20).items, odd], BANK.card), tmp_path / "b")
    rows = datasets.load_dataset(str(tmp_path / "b"), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(rows) == 21 and rows[20]["text"] == odd.text
    assert rows[0]["question"] == BANK.items[0].question and rows[0]["sources"] == list(BANK.items[0].sources)
    assert json.loads(rows[0]["calls"][0]["arguments"]) == BANK.items[0].calls[0].arguments


def test_the_card_says_what_people_need(tmp_path: Path) -> None:
    save_bank(dense(), tmp_path / "b")
    text = (tmp_path / "b" / "README.md").read_text()
    for part_of_it in ("trajectory 20", "minilm", "Apache-2.0", BANK.card.data_hash, "must not be evaluated"):
        assert part_of_it in text
    assert os.access(tmp_path / "b", os.R_OK)
