"""The engine as the host sees it: one warm process per world, a session per sample.

The engine runs in its own environment (kate_engine, pydantic 1) and talks JSON lines over a Unix socket. A
session ends when its connection is closed; the engine ends with this process, however that ends.
"""

import atexit
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio
import psutil
from anyio.lowlevel import RunVar
from anyio.streams.buffered import BufferedByteReceiveStream

from kate_eval.appworld import places
from kate_eval.errors import EngineError

START_SECONDS = 180
OPEN_SECONDS = 180
FINISH_SECONDS = 120
EVALUATE_SECONDS = 180
GRACE_SECONDS = 150
"""Beyond a step's own time: what the engine needs to replace a shell, and to ask its world."""
MAX_REPLY = 256 * 1024 * 1024
SESSION_BYTES = 200 * 1024 * 1024
"""Memory that a session of an honest sample needs, rounded up (benchmarks/README.md has the measure)."""
MAX_SESSIONS = 64
_PREFIX = "kate-appworld-"


@dataclass(frozen=True)
class Limits:
    """What a model's code may use."""

    step_seconds: int = 100
    memory_bytes: int = 1536 * 1024 * 1024
    max_output: int = 40_000
    max_calls: int = 1000


def session_limit() -> int:
    """How many sessions may be open at once: half of the free memory, by what one needs; 1 to 64."""
    return max(1, min(MAX_SESSIONS, int(psutil.virtual_memory().available) // 2 // SESSION_BYTES))


class _Process:
    """The engine's process for one world; restarted if it has died."""

    def __init__(self, world: str) -> None:
        self.world = world
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    def socket(self) -> str:
        """Path of the engine's socket; starts the engine where it does not run. Takes seconds.

        Raises:
            DatasetError: the engine or the world is not set up.
            EngineError: the engine does not start.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None or self._folder is None:
                self.stop()
                self._start()
            assert self._folder is not None
            return str(self._folder / "engine.sock")

    def _start(self) -> None:
        places.require(self.world)
        _sweep()
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self._folder = folder
        with (folder / "engine.log").open("wb") as log:
            self._process = subprocess.Popen(
                [places.engine_python(), "-m", "kate_engine.serve", folder, places.agents_data(self.world)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                # Nothing of this process's environment (keys!) is passed on.
                env={"PYTHONPATH": str(places.ENGINE_CODE), "HOME": str(folder), "PATH": "/usr/bin:/bin"},
                start_new_session=True,
            )
        timer = threading.Timer(START_SECONDS, self._process.kill)
        timer.start()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        timer.cancel()
        if b"ready" not in line:
            said = (folder / "engine.log").read_text(errors="replace")[-2000:]
            self.stop()
            raise EngineError(
                f"The AppWorld engine did not start within {START_SECONDS} s. It said:\n{said}\n"
                "If its environment is damaged, set it up again: kate appworld setup --force"
            )

    def stop(self) -> None:
        """End the engine and remove its folder; safe to call twice."""
        process, folder = self._process, self._folder
        self._process = self._folder = None
        if process is not None:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()  # it ends with its standard input
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


_PROCESSES = {world: _Process(world) for world in places.SPLITS}
_SESSIONS: RunVar[anyio.CapacityLimiter] = RunVar("sessions")


def stop_engines() -> None:
    """End all engines of this process."""
    for process in _PROCESSES.values():
        process.stop()


atexit.register(stop_engines)


def _sweep() -> None:
    """Remove the folders of processes that were killed before they could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).split("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


class Session:
    """One connection to the engine."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream
        self._lines = BufferedByteReceiveStream(stream)
        self._ids = itertools.count(1)
        self.opened: dict[str, Any] = {}

    async def ask(self, seconds: float, **message: Any) -> dict[str, Any]:
        """Send a message and wait for its reply.

        Raises:
            EngineError: the session has ended, took too long, or reports a failure.
        """
        number = next(self._ids)
        line = json.dumps({"id": number, **message}).encode() + b"\n"
        try:
            with anyio.fail_after(seconds):
                await self._stream.send(line)
                while True:
                    # Replies to what was given up on (a time limit) are passed over.
                    reply = json.loads(await self._lines.receive_until(b"\n", MAX_REPLY))
                    if reply["id"] == number:
                        break
        except TimeoutError as ex:
            raise EngineError(f"The AppWorld engine gave no answer within {seconds:.0f} s") from ex
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.ClosedResourceError) as ex:
            raise EngineError("The sample's AppWorld process has ended before the sample") from ex
        except (anyio.BrokenResourceError, OSError) as ex:
            raise EngineError(f"The connection to the sample's AppWorld process broke: {ex!r}") from ex
        if "error" in reply:
            raise EngineError(f"AppWorld: {reply['error']}")
        return dict(reply)

    async def close(self) -> None:
        """End the session."""
        with contextlib.suppress(anyio.BrokenResourceError, OSError):
            await self._stream.aclose()


async def connect(world: str) -> Session:
    """A connection to the engine of a world.

    Raises:
        DatasetError: engine or data are not set up.
        EngineError: the engine can't be reached.
    """
    path = await anyio.to_thread.run_sync(_PROCESSES[world].socket)
    try:
        return Session(await anyio.connect_unix(path))
    except OSError as ex:
        raise EngineError(f"The AppWorld engine can't be reached: {ex}") from ex


def slots() -> anyio.CapacityLimiter:
    """The machine's room for sessions; episodes wait here where too many are open."""
    try:
        return _SESSIONS.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(session_limit())
        _SESSIONS.set(limiter)
        return limiter


async def open_session(world: str, task: str, limits: Limits) -> Session:
    """A session of one task's world.

    Raises:
        DatasetError: engine or data are not set up.
        EngineError: the world can't be opened.
    """
    session = await connect(world)
    try:
        session.opened = await session.ask(OPEN_SECONDS, task=task, limits=asdict(limits))
    except BaseException:
        await session.close()
        raise
    return session


async def ask_once(world: str, seconds: float, **message: Any) -> dict[str, Any]:
    """One question to the engine that needs no session of a world."""
    async with _once(world) as session:
        return await session.ask(seconds, **message)


@contextlib.asynccontextmanager
async def _once(world: str) -> AsyncIterator[Session]:
    session = await connect(world)
    try:
        yield session
    finally:
        await session.close()


async def evaluate(world: str, task: str, files: dict[str, str]) -> dict[str, Any]:
    """The engine's evaluation of a task's outputs, in a process of its own with the ground truth.

    Returns:
        The engine's report: success, difficulty, num_tests, passes, failures.

    Raises:
        EngineError: the outputs can't be evaluated.
    """
    data = str(places.full_data(world))
    reply = await ask_once(world, EVALUATE_SECONDS, task=task, data=data, evaluate=files)
    return dict(reply["report"])


async def demonstrate(world: str, task: str) -> dict[str, Any]:
    """Run a task's own solution piece by piece, in a process with the ground truth.

    Returns:
        steps (code and output of each), apps (required), success.

    Raises:
        EngineError: the solution can't be run.
    """
    data = str(places.full_data(world))
    return await ask_once(world, EVALUATE_SECONDS, task=task, data=data, demonstrate=True)
