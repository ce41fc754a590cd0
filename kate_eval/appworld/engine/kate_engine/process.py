"""Processes that end with the one that started them, and never return into its code."""

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

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def end(self) -> str:
        """Kill it, wait for its end, and say in words how it had ended if it had."""
        done, status = os.waitpid(self.pid, os.WNOHANG)
        if not done:
            self.signal(signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.wire.close()
        return how_ended(status) if done else "it was stopped"


def how_ended(status: int) -> str:
    """A wait status in words."""
    if os.WIFSIGNALED(status):
        return f"it was ended by {signal.Signals(os.WTERMSIG(status)).name}"
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
