"""A grid that is killed twice ends as one that nobody disturbed, and loses only the samples in flight."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kate_eval.grid.found import read_found
from tests.grid.playing import grid_file, kate_grid, rows

CELLS = (
    'bfcl("FC", "baseline", task={"categories": "multi_turn_base"}), '
    'bfcl("majority 4", "width", width=4, aggregate="majority", task={"categories": "multi_turn_base"})'
)
SAMPLES = 48
"""In all: 24 a cell, of which Inspect by itself would keep back 7 before it writes."""
AT_ONCE = 2
PATIENCE = 120.0
PROGRAM = """
import sys
from inspect_ai.hooks import Hooks, SampleEnd, hooks


@hooks(name="ended", description="notes each sample that ends")
class Ended(Hooks):
    async def on_sample_end(self, data: SampleEnd) -> None:
        with open(sys.argv[1], "a") as file:
            file.write("ended;")


from kate_eval.cli import main

main(sys.argv[2:])
"""


def arguments(file: Path, folder: Path) -> list[str]:
    """Of a run slow enough to be killed in the middle."""
    model = ["--model", "simulated/default", "-M", "latency=0.03"]
    at_once = ["--limit", "24", "--max-samples", str(AT_ONCE), "--max-tasks", "1"]
    return [str(file), *model, *at_once, "--log-dir", str(folder)]


def ended_by(number: int, samples: int, file: Path, folder: Path, notes: Path) -> int:
    """Run the grid, send it a signal when so many more samples have ended.

    Returns:
        Its exit code.
    """
    before = ended(notes)
    command = [sys.executable, "-c", PROGRAM, str(notes), "grid", *arguments(file, folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    try:
        while ended(notes) < before + samples:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.kill(process.pid, number)
        code = process.wait(PATIENCE)
    return code


def killed_after(samples: int, file: Path, folder: Path, notes: Path) -> int:
    """Run the grid, kill it when so many more samples have ended.

    Returns:
        Samples that have ended in all.
    """
    ended_by(signal.SIGKILL, samples, file, folder, notes)
    return ended(notes)


def ended(notes: Path) -> int:
    """Samples that the runs noted."""
    return len(notes.read_text().split(";")[:-1]) if notes.exists() else 0


def kept(folder: Path) -> int:
    """Samples that are in the logs: of each row in its best."""
    return sum(logs[0].count for logs in read_found(folder).values())


@pytest.mark.slow
def test_two_kills_change_nothing_in_the_final_table(tmp_path: Path) -> None:
    file, folder, notes = grid_file(tmp_path, CELLS), tmp_path / "killed", tmp_path / "ended"
    undisturbed = kate_grid(*arguments(file, tmp_path / "undisturbed"))
    assert undisturbed.exit_code == 0

    count = killed_after(7, file, folder, notes)  # in the first cell
    assert count - AT_ONCE <= kept(folder) <= count + AT_ONCE
    first = kept(folder)
    count = killed_after(24, file, folder, notes)  # in the second
    assert first < kept(folder) < SAMPLES
    # What the first kill lost was played, and has ended, again.
    assert count - 2 * AT_ONCE <= kept(folder)

    done = kate_grid(*arguments(file, folder))
    assert done.exit_code == 0
    assert rows(done.output) == rows(undisturbed.output)
    assert all(row[1] == "finished" and row[3] == "24 of 24" for row in rows(done.output).values())
    assert len(list(folder.glob("*.eval"))) == 2  # nothing is left of the attempts that were killed


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_end_it_closes_its_logs_and_says_where_it_stands(number: int, tmp_path: Path) -> None:
    file, folder, notes = grid_file(tmp_path, CELLS), tmp_path / "logs", tmp_path / "ended"
    assert ended_by(number, 5, file, folder, notes) == 130
    [[found]] = read_found(folder).values()
    assert found.status == "cancelled" and found.count >= 5
    plan = rows(kate_grid(*arguments(file, folder), "--dry-run").output)
    assert plan["FC"][1:3] == ["partial", f"{found.count} of 24"] and plan["FC"][-1] == "interrupted"
