"""Folders of logs as they are found: damaged, foreign, broken off, played twice, a thousand."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log, write_eval_log

from kate_eval.cli import main
from kate_eval.errors import ConfigurationError
from kate_eval.report.document import Document
from kate_eval.report.log import with_samples
from kate_eval.report.make import make_document
from kate_eval.report.read import read_logs, read_runs
from kate_eval.solvers.kate import baseline, width
from kate_eval.tasks.bfcl import bfcl

BASE = {"categories": "multi_turn_base"}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a baseline and a width run of four samples, simulated."""
    folder = tmp_path_factory.mktemp("played")
    for number, solver in enumerate((baseline(), width())):
        [log] = eval(
            bfcl(**BASE),
            model="simulated/default",
            solver=solver,
            limit=4,
            log_dir=str(folder),
            display="log",
        )
        # Two that began in one second would be in any order by name.
        Path(log.location).rename(folder / f"2026-11-25T00-00-0{number}-00-00_bfcl_{number}.eval")
    return folder


@pytest.fixture
def logs(played: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(played, tmp_path / "logs"))


def first(logs: Path) -> Path:
    """The log of the baseline."""
    return min(logs.glob("*.eval"))


def notes(logs: Path) -> dict[str, str]:
    """What the report says of logs that it left out, by code."""
    return {note.code: note.text for note in make_document(read_logs(logs)).notes}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.97])
def test_a_half_written_log_is_named_and_the_others_are_read(logs: Path, share: float) -> None:
    data = first(logs).read_bytes()
    first(logs).write_bytes(data[: int(share * len(data))])
    [run] = read_runs(logs)
    assert run.solver == "width" and first(logs).name in notes(logs)["unreadable"]


def test_a_log_whose_samples_are_damaged_gives_way_to_an_older_run_of_the_cell(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = logs / first(logs).name.replace("2026", "2027", 1)
    shutil.copy(first(logs), newer)
    log = read_eval_log(str(newer))
    log.eval.created = "2027-01-01T00:00:00+00:00"
    write_eval_log(log, str(newer))
    assert {r.solver: r.sources[0].name for r in read_runs(logs)}["baseline"] == newer.name

    def damaged(run: Any) -> Any:
        if run.sources[0].name == newer.name:
            raise ValueError("bad zip")
        return with_samples(run)

    monkeypatch.setattr("kate_eval.report.read.with_samples", damaged)
    found = read_logs(logs)
    assert {r.solver: r.sources[0].name for r in found.runs}["baseline"] == first(logs).name
    assert [note.code for note in found.notes] == ["unreadable"]


@pytest.mark.parametrize(
    ("name", "value"), [("entries", "many"), ("entries", [1]), ("category_hashes", ["h"]), ("shards", "x")]
)
def test_a_log_whose_metadata_is_of_another_kind_is_named_and_hides_no_other(
    logs: Path, name: str, value: Any
) -> None:
    log = read_eval_log(str(first(logs)))
    log.eval.metadata = (log.eval.metadata or {}) | {name: value}
    write_eval_log(log, str(first(logs)))
    [run] = read_runs(logs)
    assert run.solver == "width" and f"its {name} is of another kind" in notes(logs)["unreadable"]


@pytest.mark.parametrize(
    ("scorer", "told"),
    [
        ("run_counters", {"provenance": {"bank_hash": ["h"]}}),
        ("run_counters", {"provenance": {"bank_models": 3}}),
        ("bfcl_verdict", {"interactions": "some"}),
        ("bfcl_verdict", {"contained": 1}),
    ],
)
def test_so_is_one_whose_scores_are(logs: Path, scorer: str, told: dict[str, Any]) -> None:
    log = read_eval_log(str(first(logs)))
    for sample in log.samples or []:
        assert sample.scores
        sample.scores[scorer].metadata = told
    write_eval_log(log, str(first(logs)))
    [run] = read_runs(logs)
    assert run.solver == "width" and "is of another kind" in notes(logs)["unreadable"]


def test_what_is_no_count_is_left_out(logs: Path) -> None:
    log = read_eval_log(str(first(logs)))
    for sample in log.samples or []:
        assert sample.scores
        sample.scores["run_counters"].value = {"requests": 1e308, "mean_width": 1.0}
        sample.scores["run_counters"].metadata = {"step_ms": [10**400, -1, 5]}
    write_eval_log(log, str(first(logs)))
    run = next(run for run in read_runs(logs) if run.solver == "baseline")
    assert [sample.counters for sample in run.samples] == [{"mean_width": 1.0}] * 4
    assert {sample.step_ms for sample in run.samples} == {(5,)}


def test_logs_of_other_tasks_are_counted_and_left_out(logs: Path) -> None:
    eval(Task([Sample("hi")]), model="mockllm/model", log_dir=str(logs), display="log")
    assert len(read_runs(logs)) == 2 and notes(logs) == {"foreign": "1 log of another task left out"}


def test_a_folder_of_other_things_has_no_logs(tmp_path: Path) -> None:
    eval(Task([Sample("hi")]), model="mockllm/model", log_dir=str(tmp_path), display="log")
    (tmp_path / "report.json").write_text("{}")
    (tmp_path / "2026-01-01T00-00-00+00-00_bfcl_abc.json").write_text('{"version": 2}')
    with pytest.raises(
        ConfigurationError, match=r"(?s)No kate-eval logs in .*make one.*can't be read"
    ) as error:
        read_logs(tmp_path)
    assert "1 log of another task" in str(error.value)


def test_a_damaged_log_alone_is_named_once_and_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.eval").write_bytes(b"PK")
    with pytest.raises(ConfigurationError) as error:
        read_logs(tmp_path / "a.eval")
    said = "No log to report. Left out, can't be read: a.eval (it is cut off or no .eval file)"
    assert str(error.value) == said and "Left out" not in caplog.text


def test_one_cell_of_two_grids_is_one_row_and_what_it_depends_on_tells_cells_apart(logs: Path) -> None:
    log = read_eval_log(str(first(logs)))

    def put(grid: str, bank: str) -> None:
        log.eval.metadata = (log.eval.metadata or {}) | {
            "grid": {"name": grid, "cell": f"in {grid}", "key": "k", "depends": {"bank": bank}}
        }
        write_eval_log(log, str(logs / f"2027-01-01T00-00-00-00-00_bfcl_{grid}-{bank}.eval"))

    first(logs).unlink()
    put("one", "a")
    put("two", "a")
    assert len([run for run in read_runs(logs) if run.solver == "baseline"]) == 1
    put("two", "b")
    assert len([run for run in read_runs(logs) if run.solver == "baseline"]) == 2


def test_the_newest_of_two_runs_of_a_cell_stands_for_both_and_says_so(logs: Path) -> None:
    again = logs / first(logs).name.replace("2026", "2027", 1)
    log = read_eval_log(str(first(logs)))
    log.eval.created = "2027-01-01T00:00:00+00:00"
    write_eval_log(log, str(again))
    runs = {run.solver: run for run in read_runs(logs)}
    assert runs["baseline"].sources[0].name == again.name
    assert runs["baseline"].replaced == (first(logs).name,) and runs["width"].replaced == ()
    rows = [row for table in make_document(read_logs(logs)).tables for row in table.rows]
    told = [flag.text for row in rows for flag in row.flags if flag.code == "replaced"]
    assert told == [f"newest of 2 runs; left out: {first(logs).name}"]
    log.status = "error"
    write_eval_log(log, str(again))
    runs = {run.solver: run for run in read_runs(logs)}
    assert runs["baseline"].sources[0].name == first(logs).name  # the finished one stays


def test_a_log_is_counted_once_however_often_its_folder_is_named(logs: Path) -> None:
    runs = read_runs(logs, logs.parent, first(logs), logs / ".." / "logs")
    assert len(runs) == 2 and not any(run.replaced for run in runs)


def test_a_report_among_its_logs_is_no_log(logs: Path) -> None:
    for _ in range(2):
        done = CliRunner().invoke(main, ["report", str(logs), "-o", str(logs)])
        assert done.exit_code == 0, done.output
    found = Document.from_json((logs / "report.json").read_text())
    assert [note.code for note in found.notes] == [] and sum(len(t.rows) for t in found.tables) == 2 + 7


def test_rows_name_their_logs_below_the_folder_that_was_asked_for(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (logs / "sub #1%20 é").mkdir()
    file = first(logs)
    file.rename(logs / "sub #1%20 é" / file.name)
    monkeypatch.chdir(logs.parent)
    found = make_document(read_logs(Path("logs")))
    paths = [log for table in found.tables for row in table.rows for log in row.logs]
    assert {(log.folder, log.path) for log in paths} >= {("logs", f"sub #1%20 é/{file.name}")}
    assert str(logs) not in found.to_json() and found.folders == ("logs",)


def test_a_log_that_goes_on_is_read_anew(logs: Path) -> None:
    before = {run.solver: len(run.samples) for run in read_runs(logs)}
    log = read_eval_log(str(first(logs)))
    log.samples = (log.samples or [])[:2]
    write_eval_log(log, str(first(logs)))
    assert {run.solver: len(run.samples) for run in read_runs(logs)} == before | {"baseline": 2}


def test_what_a_log_says_is_text_in_every_format(logs: Path, tmp_path: Path) -> None:
    log = read_eval_log(str(first(logs)))
    log.eval.model = "=1+1<script>alert(1)</script>|\\input{x}"
    write_eval_log(log, str(first(logs)))
    done = CliRunner().invoke(main, ["report", str(logs), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "<script>" not in (tmp_path / "out/report.md").read_text()
    assert "\\input" not in (tmp_path / "out/report.tex").read_text()
    csvs = [file.read_text() for file in (tmp_path / "out").rglob("*.csv")]
    assert any("'=1+1" in text for text in csvs) and not any(",=1+1" in text for text in csvs)


COPIES = 1000


@pytest.mark.slow
def test_a_thousand_logs_take_seconds_and_under_a_gigabyte(played: Path, tmp_path: Path) -> None:
    """Seconds are the process's own: other work on the machine must not fail this."""
    templates = [read_eval_log(str(file)) for file in played.glob("*.eval")]
    for sample in (sample for log in templates for sample in log.samples or ()):
        sample.events, sample.messages, sample.attachments = [], [], {}
    (tmp_path / "many").mkdir()
    for number in range(COPIES):
        log = templates[number % 2]
        log.eval.model = f"served/model-{number // 2}"
        write_eval_log(log, str(tmp_path / f"many/2026-11-25T00-00-00-00-00_bfcl_{number:04}.eval"))
    code = (
        "import resource, sys, time\n"
        "from kate_eval.cli import main\n"
        "try: main(['report', 'many', '-o', 'report'])\n"
        "except SystemExit as ex: assert not ex.code\n"
        "print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
    )
    environment = {**os.environ, "KATE_EVAL_CACHE": str(tmp_path / "cache")}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, kilobytes = done.stderr.split()[-2:]
    print(
        f"{COPIES} logs: {time.perf_counter() - began:.1f} s, {seconds} s CPU, {int(kilobytes) / 1e3:.0f} MB"
    )
    # 11 s of a quiet core; a crowded one takes twice the CPU time for the same work.
    assert float(seconds) < 40 and int(kilobytes) < 1e6
    found = json.loads((tmp_path / "report/report.json").read_text())
    assert sum(len(t["rows"]) for t in found["tables"] if t["role"] == "leaderboard") == COPIES
