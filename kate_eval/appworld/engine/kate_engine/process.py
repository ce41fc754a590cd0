"""Processes that end with the one that started them, and never return into its code."""

import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kate_engine.wire import MAX_LINE, Wire

PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """A forked process and the connection to it."""

    pid: int
    wire: Wire
    ending: str | None = None
    """How it ended, in words; None as long as nobody has ended it."""

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self) -> str:
        """Kill it, wait for its end, and say in words how it had ended if it had; safe to call twice."""
        if self.ending is not None:
            return self.ending
        done, status = os.waitpid(self.pid, os.WNOHANG)
        if not done:
            self.signal(signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.wire.close()
        self.ending = how_ended(status) if done else "it was stopped"
        return self.ending


def how_ended(status: int) -> str:
    """A wait status in words."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        named = {int(known): known.name for known in signal.Signals}  # real-time signals have no names
        return f"it was ended by {named.get(number, f'signal {number}')}"
    return f"it exited with status {os.waitstatus_to_exitcode(status)}"


def fork(work: Callable[[Wire], None], close: Sequence[socket.socket], max_line: int = MAX_LINE) -> Child:
    """Run `work` in a forked process that is connected to this one.

    Args:
        work: gets the child's end of the connection; the process ends when it returns.
        close: connections of this process that the child must not have.
        max_line: bytes that a line from the child may have.
    """
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        theirs.close()
        return Child(pid, Wire(ours, max_line))
    status = 1
    try:
        die_with(parent)
        for connection in (ours, *close):
            connection.close()
        work(Wire(theirs))
        status = 0
    except BaseException:  # a process boundary: nothing may unwind into the parent's frames
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when the process that forked it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def limit(kind: int, value: int) -> None:
    """Set a resource limit for good; what is already lower stays."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))
