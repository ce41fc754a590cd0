"""The warm parent: it has imported the engine, listens on a socket and forks a session per connection.

Run by the host as `python -m kate_engine.serve FOLDER DATA`: FOLDER is its own scratch folder, where the
socket is; DATA the agents' data, without ground truth. It ends with its standard input.
"""

import contextlib
import ctypes
import gc
import json
import os
import select
import shutil
import signal
import socket
import sqlite3
import struct
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kate_engine.process import die_with
from kate_engine.wire import MAX_LINE, Wire

SOCKET = "engine.sock"
FIRST_MESSAGE_SECONDS = 60
M_PERTURB = -6
"""mallopt(3)"""


def main() -> None:
    """Serve until standard input ends."""
    folder, data = Path(sys.argv[1]), Path(sys.argv[2])
    os.environ["APPWORLD_CACHE"] = str(folder / "cache")
    os.environ["APPWORLD_ROOT"] = str(folder)
    host = os.getppid()
    _warm_up(folder, data)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / SOCKET))
    listener.listen(512)
    sys.stdout.write(json.dumps({"ready": True}) + "\n")
    sys.stdout.flush()
    gc.freeze()  # what is loaded by now stays shared with the children
    sessions: dict[int, Path] = {}
    while os.getppid() == host:
        ready = select.select([listener, sys.stdin], [], [], 1.0)[0]
        if sys.stdin in ready and not os.read(sys.stdin.fileno(), 4096):
            break
        if listener in ready:
            _accept(listener, host, folder, data, sessions)
        _bury(sessions)
    for pid in sessions:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def _warm_up(folder: Path, data: Path) -> None:
    """Import the engine and fill its caches, by opening and closing a world."""
    import pytest  # noqa: F401 - the evaluator imports it at its first assertion
    from appworld import AppWorld
    from appworld.apps.model_lib import get_db_home_path
    from appworld.task import load_task_ids

    from kate_engine import evaluation, session, shell  # noqa: F401 - what sessions need is loaded once, here
    from kate_engine.world import Gate, scratch_root

    # Shells are forked from here: what the databases leave in memory, they could read.
    with tempfile.TemporaryDirectory(dir=folder) as scratch, _overwriting_freed_memory():
        scratch_root(Path(scratch), data)
        split = min((data / "datasets").glob("*.txt")).stem
        world = AppWorld(load_task_ids(split)[0], experiment_name="warm", load_ground_truth=False)
        world.execute("print(apis.supervisor.show_profile())")
        Gate()
        shell.learn_preamble(world)
        world.close()
        AppWorld.close_all()
        del world
        _close_databases()
        gc.collect()
        shell.offered()
        get_db_home_path.cache_clear()  # it remembers paths below the scratch folder
    # The engine's frozen clock left handlers behind; a signal must end us.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)


def _close_databases() -> None:
    """Close what the engine keeps open: a shell would inherit it, past every restriction on opening files."""
    for connection in [found for found in gc.get_objects() if isinstance(found, sqlite3.Connection)]:
        connection.close()


@contextlib.contextmanager
def _overwriting_freed_memory() -> Iterator[None]:
    """Let the C library fill what is freed (glibc; elsewhere nothing happens)."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_PERTURB, 0xFF)
    try:
        yield
    finally:
        if set_option is not None:
            set_option(M_PERTURB, 0)


def _accept(listener: socket.socket, host: int, folder: Path, data: Path, sessions: dict[int, Path]) -> None:
    connection, _ = listener.accept()
    if _peer(connection) != host:  # only who started us may have sessions and verdicts
        connection.close()
        return
    parent = os.getpid()
    try:
        scratch = Path(tempfile.mkdtemp(dir=folder, prefix="session-"))
        pid = os.fork()
    except OSError:  # no disk or process is left for this one; the others go on
        traceback.print_exc(file=sys.__stderr__)
        connection.close()
        return
    if pid:
        sessions[pid] = scratch
        connection.close()
        return
    try:
        die_with(parent)
        listener.close()
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1):
            os.dup2(null, number)
        _serve(Wire(connection, MAX_LINE * 4), scratch, data)
    except BaseException:  # a process boundary
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(0)


def _peer(connection: socket.socket) -> int:
    """Process id of the other end; where the system can't tell, ours is taken on trust."""
    if hasattr(socket, "SO_PEERCRED"):
        packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int(struct.unpack("=iII", packed)[0])
    if sys.platform == "darwin":
        return int(struct.unpack("=i", connection.getsockopt(0, 0x002, 4))[0])
    return os.getppid()


def _bury(sessions: dict[int, Path]) -> None:
    """Take note of ended sessions and remove their scratch folders."""
    while sessions:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        shutil.rmtree(sessions.pop(pid, ""), ignore_errors=True)


def _serve(host: Wire, scratch: Path, data: Path) -> None:
    opening = host.receive(FIRST_MESSAGE_SECONDS)
    if opening is None:
        return
    try:
        answer = _serve_one(host, scratch, data, opening)
    except Exception as ex:  # a process boundary: the host gets the reason
        answer = {"error": f"{type(ex).__name__}: {ex}"}
        traceback.print_exc(file=sys.__stderr__)
    if answer is not None:
        host.send({"id": opening["id"], **answer})


def _serve_one(host: Wire, scratch: Path, data: Path, opening: dict[str, Any]) -> dict[str, Any] | None:
    from kate_engine import evaluation, session

    if "evaluate" in opening:
        full = Path(opening["data"])
        return {"report": evaluation.evaluate(scratch, full, opening["task"], opening["evaluate"])}
    if "demonstrate" in opening:
        return evaluation.demonstrate(scratch, Path(opening["data"]), opening["task"])
    session.run_session(host, scratch, data, opening)
    return None


if __name__ == "__main__":
    main()
