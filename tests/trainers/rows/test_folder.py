"""A rows folder: what is written is read back, whole or not at all, and what is wrong is named."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kate_eval.errors import RowsError
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.folder import JOURNAL, save_bank
from kate_eval.trainers.rows import folder as rows_folder
from kate_eval.trainers.rows.folder import RowsFolder, is_rows, load_rows, save_rows, writing
from tests.trainers.rows.making import CARD, called, row, said

TRAIN = [row(0), row(1, completion=called(arguments='{"x": "\\u00e9"}')), row(2, completion=said())]
HELD_OUT = [row(3, "b")]


def save(folder: Path, **changed: Any) -> RowsFolder:
    with writing(folder):
        return save_rows(folder, changed.get("train", TRAIN), changed.get("held_out", HELD_OUT), CARD)


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    saved = save(tmp_path / "rows")
    loaded = load_rows(tmp_path / "rows")
    assert (loaded.train, loaded.held_out, loaded.card) == (TRAIN, HELD_OUT, saved.card)
    assert loaded.hash == saved.hash and len(saved.hash) == 16
    assert loaded.train[1].calls[0].arguments == {"x": "é"}
    # Nothing else lies about, and the same rows make the same files.
    names = {path.name for path in (tmp_path / "rows").iterdir()} - {".lock"}
    assert names == {"card.json", "README.md", saved.card.train_file, saved.card.held_out_file}
    assert save(tmp_path / "again").hash == saved.hash


def test_datasets_opens_the_folder(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / JOURNAL).write_text('{"key": "x"}\n')
    save(tmp_path / "rows")
    found = datasets.load_dataset(str(tmp_path / "rows"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in found.items()} == {"train": 3, "held_out": 1}
    assert json.loads(found["train"][0]["messages"]) == list(TRAIN[0].messages)
    assert json.loads(found["train"][0]["tools"]) == list(TRAIN[0].tools)
    alone = save(tmp_path / "alone", held_out=[])
    assert alone.card.held_out_file == ""
    assert set(datasets.load_dataset(str(tmp_path / "alone"), cache_dir=str(tmp_path / "c"))) == {"train"}


def test_new_rows_replace_the_old_ones(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / JOURNAL).write_text("")
    second = save(tmp_path, train=TRAIN[:1], held_out=[])
    assert load_rows(tmp_path).train == TRAIN[:1]
    assert [path.name for path in tmp_path.glob("*-*.jsonl")] == [second.card.train_file]
    assert (tmp_path / JOURNAL).is_file()


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_crash_in_the_middle_leaves_the_old_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Each of the four files is the one that could not be written."""
    save(tmp_path)
    real: Callable[[Path, bytes], None] = rows_folder.write_whole
    written = 0

    def failing(path: Path, data: bytes) -> None:
        nonlocal written
        if written == at:
            path.with_name(f".{path.name}.partial").write_bytes(data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        written += 1
        real(path, data)

    monkeypatch.setattr(rows_folder, "write_whole", failing)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, train=TRAIN[:2], held_out=[row(4, "c")])
    assert load_rows(tmp_path).train == TRAIN and load_rows(tmp_path).held_out == HELD_OUT
    monkeypatch.undo()
    save(tmp_path, train=TRAIN[:2])
    assert load_rows(tmp_path).train == TRAIN[:2]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(RowsError, match=r"thesis\.tex"):
        save(tmp_path)
    save_bank(default_bank("bfcl"), tmp_path / "bank")
    with pytest.raises(RowsError, match="holds other files"):
        save(tmp_path / "bank")
    (tmp_path / "file").write_text("")
    with pytest.raises(RowsError, match="is a file"):
        save(tmp_path / "file")
    with writing(tmp_path / "busy"), pytest.raises(RowsError, match="Another process"):
        save(tmp_path / "busy")


def test_what_can_t_be_a_folder_of_rows_is_refused(tmp_path: Path) -> None:
    for train, held_out, reason in (
        ([], HELD_OUT, "no rows to learn from"),
        ([row(1), row(1)], [], "two rows have the id"),
        (TRAIN, [row(9, "a")], "scenario 'a' is in the training rows and in the held-out ones"),
    ):
        with pytest.raises(RowsError, match=reason):
            save(tmp_path, train=train, held_out=held_out)
    assert not is_rows(tmp_path)


def first_line(**changed: Any) -> str:
    raw = json.loads(TRAIN[0].model_dump_json())
    return json.dumps(raw | changed)


BAD = {
    "not JSON": ("{", "field (whole line): Invalid JSON"),
    "another schema": (first_line(schema_version=2), "field schema_version"),
    "a field too many": (first_line(extra=1), "field extra"),
    "messages cut off": (first_line(messages='[{"role"'), "field messages: Value error, no JSON"),
    "no role": (first_line(messages='[{"content": "x"}]'), "field messages: message 1 has the role None"),
    "tool without a name": (first_line(tools='[{"type": "function"}]'), "field tools: a tool without"),
    "no arguments": (
        first_line(completion=json.dumps(called(arguments="{x}"))),
        "field completion: the arguments of ls are no JSON",
    ),
    "arguments in a list": (
        first_line(completion=json.dumps(called(arguments="[1]"))),
        "field completion: the arguments of ls are no JSON object",
    ),
    "not offered": (
        first_line(completion=json.dumps(called("rm"))),
        "field completion: calls 'rm', which is not among the tools offered",
    ),
    "not the assistant's": (first_line(completion='{"role": "user"}'), "field completion: its role"),
    "nested too deep": (first_line(completion="[" * 100_000), "field completion"),
    "the same id": (TRAIN[0].model_dump_json(), "field id: 'e/0/0/step' stands in line 1 too"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_line_is_named_with_its_file_and_field(tmp_path: Path, case: str) -> None:
    saved = save(tmp_path)
    line, field = BAD[case]
    file = tmp_path / saved.card.train_file
    file.write_text(TRAIN[0].model_dump_json() + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(RowsError) as raised:
        load_rows(tmp_path)
    assert f"{file}, line 2: {field}" in str(raised.value)


def test_what_is_not_what_the_card_says_is_refused(tmp_path: Path) -> None:
    saved = save(tmp_path)
    card = tmp_path / "card.json"
    good = json.loads(card.read_text())

    def refused(reason: str, **changed: Any) -> None:
        card.write_text(json.dumps(good | changed))
        with pytest.raises(RowsError, match=reason):
            load_rows(tmp_path)

    refused("schema version 7; this version reads 1", schema_version=7)
    refused("field mode", mode=None)
    refused("no name of a file", train_file="../train-0000000000000000.jsonl")
    refused("which card.json names", train_file="train-0000000000000000.jsonl")
    refused("hash differs", rows_hash="0" * 16)
    card.write_text("{")
    with pytest.raises(RowsError, match="is no JSON"):
        load_rows(tmp_path)
    card.unlink()
    with pytest.raises(RowsError, match="No rows in"):
        load_rows(tmp_path)
    (tmp_path / JOURNAL).write_text("")
    with pytest.raises(RowsError, match="not finished"):
        load_rows(tmp_path)
    card.write_text(json.dumps(good))
    os.truncate(tmp_path / saved.card.train_file, 100)
    with pytest.raises(RowsError, match="line 1"):
        load_rows(tmp_path)
