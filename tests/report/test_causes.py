"""Causes in the report: those of kate_eval.failures, looked up once, and never by surprise for long."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai import eval
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log

from kate_eval.cli import main
from kate_eval.failures import KINDS, cause_of
from kate_eval.report import causes
from kate_eval.report.causes import look_up
from kate_eval.report.document import Document
from kate_eval.report.make import make_document
from kate_eval.report.read import read_logs
from kate_eval.solvers.kate import baseline
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Scripted, output


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that fails all of its samples but one, which is an error."""

    def answer(messages: Any, config: Any) -> Any:
        if "alex" in messages[0].text:
            raise RuntimeError("connection lost")
        return output("Done.")

    folder = tmp_path_factory.mktemp("played")
    options: dict[str, Any] = {"log_dir": str(folder), "display": "none", "limit": 4}
    eval(bfcl(categories="multi_turn_base"), model=Scripted(answer).model(), solver=baseline(), **options)
    return folder


@pytest.fixture
def log(played: Path, tmp_path: Path) -> EvalLog:
    """Its log, in a folder of the test's own."""
    [file] = shutil.copytree(played, tmp_path / "logs").glob("*.eval")
    return read_eval_log(str(file))


def unreachable(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("a sample was read")


def test_rows_tell_causes_and_kinds_of_error(log: EvalLog, tmp_path: Path) -> None:
    reading = read_logs(tmp_path / "logs")
    expected = Counter(cause.kind for s in log.samples or () if (cause := cause_of(s)))
    document = make_document(reading, looked_up=look_up(reading.runs))
    [row] = document.tables[0].rows
    assert {k: v for k, v in row.cells.items() if k.startswith("cause_")} == {
        f"cause_{kind}": count for kind, count in expected.items()
    }
    assert row.counts and row.counts.errors == {"infrastructure": 1, "parse": 0, "capability": 3}
    assert expected["environment_error"] == 1
    [plot] = [plot for plot in document.plots if plot.name == "failures"]
    assert sum(point.y for point in plot.series[0].points) == pytest.approx(1.0)


def test_a_sample_is_looked_into_once(log: EvalLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = read_logs(tmp_path / "logs")
    told: list[tuple[int, int]] = []
    before = look_up(reading.runs, step=lambda done, all: told.append((done, all)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    monkeypatch.setattr(causes, "read_eval_log_sample", unreachable)
    assert look_up(reading.runs, most=0) == before


def test_a_sample_that_was_scored_again_is_looked_into_again(log: EvalLog, tmp_path: Path) -> None:
    look_up(read_logs(tmp_path / "logs").runs)
    [file] = (tmp_path / "logs").glob("*.eval")
    changed = read_eval_log(str(file))
    sample = next(s for s in changed.samples or () if not s.error and s.id != "multi_turn_base_1")
    assert sample.scores
    sample.scores["bfcl_verdict"].explanation = "another reason"
    write_eval_log(changed, str(file))
    told: list[int] = []
    look_up(read_logs(tmp_path / "logs").runs, step=lambda done, all: told.append(all))
    assert set(told) == {1}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rules": "x"}', '{"rules": 1, "causes": 2}'])
def test_a_damaged_cache_is_as_none(log: EvalLog, tmp_path: Path, home: Path, text: str) -> None:
    runs = read_logs(tmp_path / "logs").runs
    before = look_up(runs)
    [file] = home.rglob("*.json")
    right = file.read_text()
    file.write_text(text)
    assert look_up(runs) == before
    for kind in KINDS:
        right = right.replace(f'"{kind}"', '"nonsense"')
    file.write_text(right)
    assert look_up(runs) == before


def test_a_cache_that_can_t_be_written_costs_the_next_report_only(
    log: EvalLog, tmp_path: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "failures").write_text("a file where the folder should be")
    found = look_up(read_logs(tmp_path / "logs").runs)
    assert len(found.causes) == 1 and "can't be kept" in caplog.text


def test_more_samples_than_may_be_read_are_left_and_named(log: EvalLog, tmp_path: Path) -> None:
    reading = read_logs(tmp_path / "logs")
    found = look_up(reading.runs, most=2)
    assert not found.causes and found.notes[0].code == "causes" and "3 failed samples" in found.notes[0].text
    document = make_document(reading, looked_up=found)
    [row] = document.tables[0].rows
    assert row.counts and row.counts.errors == {"infrastructure": 1} and found.notes[0] in document.notes


def test_the_command_looks_where_a_report_is_written_and_where_it_is_asked_to(
    log: EvalLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs, out = str(tmp_path / "logs"), tmp_path / "out.json"

    def known(*options: str) -> bool:
        done = CliRunner().invoke(main, ["report", logs, *options])
        assert done.exit_code == 0, done.output
        document = Document.from_json(out.read_text())
        return any(column.group == "cause" for column in document.tables[0].columns)

    assert not known("-o", str(out), "--no-causes")
    assert known("-o", str(out)) and not known("-o", str(out), "--no-causes")
    monkeypatch.setattr(causes, "read_eval_log_sample", unreachable)
    assert CliRunner().invoke(main, ["report", logs]).exit_code == 0
