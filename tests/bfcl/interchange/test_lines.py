"""Lines of result files: what is wrong is named by its line, the others are read, nothing raises."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kate_eval.bfcl.interchange import lines
from kate_eval.bfcl.interchange.lines import Line, Problem, read_lines

from .writing import write_lines


def read(folder: Path, content: bytes) -> list[Line | Problem]:
    file = folder / "BFCL_v4_multiple_result.json"
    file.write_bytes(content)
    return list(read_lines(file))


def test_extra_keys_empty_lines_and_a_missing_last_newline_are_fine(tmp_path: Path) -> None:
    content = (
        b'\xef\xbb\xbf{"id": "multiple_0", "result": [], "latency": 0.1, "inference_log": [[{}]]}\r\n\n  \n'
    )
    assert read(tmp_path, content + b'{"result": "x", "id": "multiple_1"}') == [
        Line(1, "multiple_0", []),
        Line(4, "multiple_1", "x"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "no JSON"),
        (b"[1]", "no JSON object, but list"),
        (b'{"id": 5, "result": 1}', '"id"'),
        (b'{"id": "multiple_0"}', "'multiple_0' has no \"result\""),
        (b'{"id": "\xff", "result": 1}', "no JSON"),
        (b'{"id": "x", "result": ' + b"9" * 5000 + b"}", "no JSON"),
        (b'{"id": "x", "result": ' + b"[" * 100_000, "nested too deep"),
        (b'{"id": "\\ud83d\\u001b[2J", "other": 1}', r"'\ud83d\x1b[2J'"),
    ],
)
def test_a_bad_line_is_named_and_the_next_one_read(tmp_path: Path, line: bytes, reason: str) -> None:
    found = read(tmp_path, line + b'\n{"id": "multiple_1", "result": 1}\n')
    assert isinstance(found[0], Problem)
    assert str(found[0]).startswith(f"{tmp_path}/BFCL_v4_multiple_result.json:1: ")
    assert reason in str(found[0]) and len(found[0].reason) < 200
    assert found[1:] == [Line(2, "multiple_1", 1)]


def test_a_huge_line_is_passed_over(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 100)
    huge = b'{"id": "multiple_0", "result": "' + b"x" * 1000 + b'"}\n'
    found = read(tmp_path, huge + b'{"id": "multiple_1", "result": 1}\n' + huge.strip())
    assert found == [
        Problem(tmp_path / "BFCL_v4_multiple_result.json", 1, "longer than 100 bytes"),
        Line(2, "multiple_1", 1),
        Problem(tmp_path / "BFCL_v4_multiple_result.json", 3, "longer than 100 bytes"),
    ]


@given(st.binary(max_size=200))
def test_any_bytes_are_lines_or_problems(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    found = read(tmp_path_factory.getbasetemp(), content)
    assert len(found) <= content.count(b"\n") + 1


def test_a_file_that_is_written_is_read(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "x.json", [{"id": "a", "result": float("nan")}])
    [line] = read_lines(file)
    assert isinstance(line, Line) and line.result != line.result
