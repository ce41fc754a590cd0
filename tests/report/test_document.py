"""The schema of report.json: what is written is read back, and nothing else is."""

import json

import pytest
from pydantic import ValidationError

from kate_eval.report.document import VERSION, Document
from tests.report.example import HOSTILE, example


def test_what_is_written_is_read_back() -> None:
    text = example().to_json()
    assert Document.from_json(text) == example()
    assert json.loads(text)["version"] == VERSION and json.dumps(HOSTILE)[1:-1] in text


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError):
        Document.from_json(json.dumps(json.loads(example().to_json()) | {"verson": 1}))


def test_whole_numbers_stay_whole_and_texts_texts() -> None:
    [table, *_] = Document.from_json(example().to_json()).tables
    cells = table.rows[0].cells
    assert isinstance(cells["infrastructure"], int) and isinstance(cells["requests"], float)
    assert cells["data_hash"] == "0a1b2c3d" and cells["dollars"] is None
