"""The benchmark's parts, end to end on a few entries: workload file, mock server, the floor's client."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def script(name: str) -> list[str]:
    """The command that runs a script of the benchmark."""
    return [sys.executable, str(BENCHMARKS / name)]


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workload file."""
    file = tmp_path_factory.mktemp("bench") / "workload.json"
    subprocess.run([*script("workload.py"), file], check=True)
    return file


def test_the_workload_has_one_request_per_gold_call_and_one_per_turn(workload: Path) -> None:
    turns = [turn for entry in json.loads(workload.read_text())["entries"] for turn in entry["turns"]]
    assert (len(turns), sum(len(turn["steps"]) for turn in turns)) == (734, 1142)


def test_gold_played_back_passes_the_official_checker(
    workload: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BFCL_PROJECT_ROOT", str(tmp_path))
    command = [*script("mock_server.py"), str(workload), "--latency-ms", "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None and server.stdout is not None
        url = server.stdout.readline().strip()
        floor = [*script("floor.py"), str(workload), url, "--limit", "10"]
        played = subprocess.run(floor, capture_output=True, text=True)
        server.stdin.close()
    assert json.loads(played.stdout) == {"accuracy": 1.0}, played.stderr
