"""A supervised command and all that it started end when their starter does, or is told to."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from kate_eval.endpoints.serve.server import SUPERVISOR

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(600)
"""


def supervised(*command: str) -> "subprocess.Popen[bytes]":
    """A command under the supervisor, with half a second of grace."""
    return subprocess.Popen([sys.executable, str(SUPERVISOR), "0.5", *command], stdin=subprocess.PIPE)


def test_its_input_s_end_ends_the_command_and_its_children(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    process = supervised(sys.executable, "-c", STUBBORN, str(file))
    deadline = time.monotonic() + 20
    while not (file.is_file() and file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    child = psutil.Process(int(file.read_text()))
    assert child.is_running() and process.stdin
    process.stdin.close()
    assert process.wait(20) == 128 + 9  # it took no notice of SIGTERM
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_its_exit_code_is_the_command_s() -> None:
    process = supervised(sys.executable, "-c", "import sys; sys.exit(3)")
    assert process.wait(20) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell no process that its parent died")
def test_the_command_ends_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    tell = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    process = supervised(sys.executable, "-c", tell, str(file))
    deadline = time.monotonic() + 20
    while not (file.is_file() and file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    child = psutil.Process(int(file.read_text()))
    process.kill()
    process.wait(20)
    assert not psutil.wait_procs([child], timeout=20)[1]
