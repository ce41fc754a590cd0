"""Runs one command in a process group of its own; ends all of it when its standard input closes.

The input is a pipe from whoever started it, so it closes when they die, however they die. On Linux the
command is told, too, when this process itself is killed. It imports nothing of ours:
supervisor.py GRACE_SECONDS COMMAND ...
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

TICK = 0.1
PR_SET_PDEATHSIG = 1
"""prctl(2): a signal for the caller when its parent dies."""


def main(grace: float, command: Sequence[str]) -> int:
    """Run the command until it ends or this process is told to.

    Returns:
        The command's exit code, as shells have it: 128 and the signal for one that was killed.
    """
    ending = threading.Event()

    def end(*ignored: Any) -> None:
        ending.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_end_with_parent()
    )
    threading.Thread(target=_wait_for_the_end_of_input, args=(end,), daemon=True).start()
    while child.poll() is None and not ending.wait(TICK):
        pass
    end_group(child, grace)
    code = child.wait()
    return 128 - code if code < 0 else code


def _end_with_parent() -> Callable[[], None] | None:
    """What a child does before it becomes the command, where the system has a way (Linux)."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def before_exec() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the call
            os._exit(128 + signal.SIGTERM)

    return before_exec


def _wait_for_the_end_of_input(end: Any) -> None:
    while os.read(0, 1024):
        pass
    end()


def end_group(child: "subprocess.Popen[bytes]", grace: float) -> None:
    """End a process and all that it started: politely, and after the grace by force."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, kind)
            deadline = time.monotonic() + grace
            while time.monotonic() < deadline:
                child.poll()  # collects it, or its group would never be empty
                os.killpg(child.pid, 0)
                time.sleep(TICK)
        except (ProcessLookupError, PermissionError):  # macOS: a group of zombies may not be signalled
            return


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
