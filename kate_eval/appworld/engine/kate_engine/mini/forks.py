"""Runs functions in forked children of a warm parent: the engine allows one world a process."""

import json
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

TIME_LIMIT = 120.0
"""Seconds after which a child is killed."""


def in_children(jobs: Iterable[Callable[[], Any]], scratch: Path, at_once: int) -> Generator[Any, None, None]:
    """Run each job in a child of its own and yield the results (which must fit JSON) in order.

    Args:
        jobs: Functions without arguments; what they change in memory is lost.
        scratch: An existing folder for the children's result files.
        at_once: How many children may run side by side.

    Raises:
        RuntimeError: A child failed, died or took too long; its own message is on standard error.
    """
    running: deque[tuple[int, Path, float]] = deque()
    try:
        for number, job in enumerate(jobs):
            if len(running) == at_once:
                yield _result(*running.popleft())
            path = scratch / f"child-{number}.json"
            running.append((_start(job, path), path, time.monotonic() + TIME_LIMIT))
        while running:
            yield _result(*running.popleft())
    finally:
        for pid, _, _ in running:
            _kill(pid)


def _start(job: Callable[[], Any], path: Path) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    os.dup2(2, 1)  # the engine prints warnings; standard output is the parent's alone
    try:
        path.write_text(json.dumps(job()), encoding="utf-8")
        code = 0
    except BaseException:  # a child must never run on into its parent's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)  # a world ignores SIGTERM: its clock is frozen
    os.waitpid(pid, 0)


def _result(pid: int, path: Path, deadline: float) -> Any:
    try:
        status = _wait(pid, deadline)
    except BaseException:  # whatever ends the wait early, the child must not outlive it
        _kill(pid)
        raise
    if status:
        raise RuntimeError(f"A child failed (wait status {status}); see its traceback above.")
    result = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    return result


def _wait(pid: int, deadline: float) -> int:
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.005)
    raise RuntimeError(f"A child took longer than {TIME_LIMIT:.0f} s and was killed.")
