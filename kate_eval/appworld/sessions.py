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
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import psutil
from anyio.lowlevel import RunVar
from anyio.streams.buffered import BufferedByteReceiveStream
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kate_eval.appworld import places
from kate_eval.errors import ConfigurationError, EngineError

START_SECONDS = 180
OPEN_SECONDS = 180
FINISH_SECONDS = 120
EVALUATE_SECONDS = 180
GRACE_SECONDS = 150
"""Beyond a step's own time: what the engine needs to replace a shell, and to ask its world."""
MAX_REPLY = 256 * 1024 * 1024
MIB = 1024 * 1024
SESSION_BYTES = 200 * MIB
"""Memory that a session of an honest sample needs, rounded up (benchmarks/README.md has the measure)."""
MAX_SESSIONS = 64
_PREFIX = "kate-appworld-"
_LOCK = "host.lock"
_CGROUP = Path("/sys/fs/cgroup")


class Limits(BaseModel):
    """What a model's code may use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step_seconds: int = Field(default=100, ge=1)
    """Time for a block of code."""
    memory_bytes: int = Field(default=1536 * MIB, ge=512 * MIB)
    """Address space of the shell; the engine's own modules take some 300 MiB of it."""
    max_output: int = Field(default=40_000, ge=100)
    """Characters of a block's output that are shown."""
    max_calls: int = Field(default=1000, ge=1)
    """API calls of a block."""


def make_limits(**values: int) -> Limits:
    """Limits as a user wrote them.

    Raises:
        ConfigurationError: one is too low.
    """
    try:
        return Limits(**values)
    except ValidationError as ex:
        first = ex.errors()[0]
        raise ConfigurationError(f"AppWorld's {first['loc'][0]}={first['input']}: {first['msg']}") from ex


def session_limit() -> int:
    """How many sessions may be open at once: half of the free memory, by what one needs; 1 to 64."""
    return max(1, min(MAX_SESSIONS, _free_memory() // 2 // SESSION_BYTES))


def _free_memory() -> int:
    """Bytes that this machine has left, or that the container's limit leaves (cgroup 2)."""
    free = int(psutil.virtual_memory().available)
    with contextlib.suppress(OSError, ValueError):
        limit = int((_CGROUP / "memory.max").read_text())
        free = min(free, limit - int((_CGROUP / "memory.current").read_text()))
    return max(0, free)


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
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=places.scratch()))
        self._folder = folder
        self._lock_file = FileLock(folder / _LOCK)
        self._lock_file.acquire()
        with (folder / "engine.log").open("wb") as log:
            self._process = subprocess.Popen(
                [places.engine_python(), "-m", "kate_engine.serve", folder, places.agents_data(self.world)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env=places.engine_environment(folder),  # nothing of ours: there may be keys in it
                start_new_session=True,
            )
        timer = threading.Timer(START_SECONDS, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout else b""
        finally:
            in_time = timer.is_alive()
            timer.cancel()
        if b"ready" not in line:
            said = (folder / "engine.log").read_text(errors="replace")[-2000:]
            self.stop()
            how = "ended while it started" if in_time else f"did not start within {START_SECONDS} s"
            raise EngineError(
                f"The AppWorld engine {how}. It said:\n{said}\nIf its environment in "
                f"{places.engine_folder()} is damaged: kate appworld setup --force"
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
            self._lock_file.release()
            shutil.rmtree(folder, ignore_errors=True)


_PROCESSES = {world: _Process(world) for world in places.SPLITS}
_SESSIONS: RunVar[anyio.CapacityLimiter] = RunVar("sessions")
_QUESTIONS: RunVar[anyio.CapacityLimiter] = RunVar("questions")


def stop_engines() -> None:
    """End all engines of this process."""
    for process in _PROCESSES.values():
        process.stop()


atexit.register(stop_engines)


def _sweep() -> None:
    """Remove the folders of processes that were killed before they could: nobody holds their locks."""
    for folder in places.scratch().glob(f"{_PREFIX}*"):
        lock = FileLock(folder / _LOCK)
        with contextlib.suppress(Timeout, OSError):
            if time.time() - folder.stat().st_mtime > START_SECONDS:  # a new one may not have its lock yet
                lock.acquire(timeout=0)
                shutil.rmtree(folder, ignore_errors=True)
                lock.release()


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
    return _limiter(_SESSIONS, session_limit)


def _limiter(of_loop: RunVar[anyio.CapacityLimiter], size: Callable[[], int]) -> anyio.CapacityLimiter:
    """The limiter of this event loop."""
    try:
        return of_loop.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(size())
        of_loop.set(limiter)
        return limiter


async def open_session(world: str, task: str, limits: Limits) -> Session:
    """A session of one task's world.

    Raises:
        DatasetError: engine or data are not set up.
        EngineError: the world can't be opened.
    """
    session = await connect(world)
    try:
        session.opened = await session.ask(OPEN_SECONDS, task=task, limits=limits.model_dump())
    except BaseException:
        await session.close()
        raise
    return session


async def ask_once(world: str, seconds: float, **message: Any) -> dict[str, Any]:
    """One question to the engine that needs no session of a world; as many at once as there are cores."""
    async with _limiter(_QUESTIONS, lambda: os.cpu_count() or 1), _once(world) as session:
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
