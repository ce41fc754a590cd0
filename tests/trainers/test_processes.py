"""Several processes of one run: the first writes its folder, the others wait, and none waits forever."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kate_eval.errors import TrainingError
from kate_eval.trainers import processes
from kate_eval.trainers.run import Run

BEGINS = """
import sys, time
from pathlib import Path
from kate_eval.errors import TrainingError
from kate_eval.trainers import processes
from kate_eval.trainers.run import Run

run = Run.of(Path(sys.argv[1]))

def begin(seed):
    time.sleep(1)
    run.begin({"seed": seed})
    (run.folder / "checkpoint-1").mkdir(exist_ok=True)
    run.mark(1)

processes.first_does(lambda: begin(0), cuda=False)
print("there", len(run.states()), flush=True)
try:
    processes.first_does(lambda: begin(1), cuda=False)
except TrainingError as ex:
    print("refused", "other parameters" in str(ex), flush=True)
"""


def test_one_process_acts_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    done: list[int] = []
    processes.first_does(lambda: done.append(1), cuda=False)
    assert done == [1] and processes.count() == 1 and processes.is_first()


def test_another_number_of_processes_is_another_run(tmp_path: Path) -> None:
    run = Run.of(tmp_path / "out")
    run.begin({"processes": 1})
    (run.folder / "checkpoint-1").mkdir()
    run.mark(1)
    with pytest.raises(TrainingError, match=r"processes: 1, now 2.*--restart"):
        run.begin({"processes": 2})


@pytest.mark.train
def test_the_others_wait_for_the_first_and_hear_of_its_failure(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    started = []
    for rank in ("0", "1"):
        told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        command = [sys.executable, "-c", BEGINS, str(tmp_path / "out")]
        env = {**os.environ, **told, **place, "ACCELERATE_USE_CPU": "true"}
        started.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True))
    said = [process.communicate(timeout=120)[0] for process in started]
    assert said == ["there 1\nrefused True\n"] * 2
