"""What AppWorld's tests share: the engine that is set up, and sessions that a test drives step by step.

The engine and the mini world must be set up: `kate appworld setup --mini`. All tests of a pytest process
share one engine, through kate_eval.appworld.sessions.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from kate_eval.appworld import data, places, sessions
from kate_eval.appworld.data import AppTask
from kate_eval.appworld.sessions import Limits

WORLD = "mini"
SPLIT = "mini_train"
LIMITS = Limits(step_seconds=3, max_calls=60)
FORBIDDEN = {"rlimits", "no_capabilities", "landlock", "seccomp"}
"""The layers that the attacks are tried against."""


class Player:
    """A session that a test plays."""

    def __init__(self, portal: BlockingPortal, task: str, limits: Limits) -> None:
        self._portal = portal
        self.task = task
        self.limits = limits
        self.session = portal.call(sessions.open_session, WORLD, task, limits)
        self.contained: list[str] = self.session.opened["contained"]
        self.world_pid: int = self.session.opened["world_pid"]
        self.shell_pid: int = self.session.opened["shell_pid"]

    @cached_property
    def process(self) -> psutil.Process:
        """The session's own process."""
        parent = psutil.Process(self.world_pid).parent()
        assert parent is not None
        return parent

    def ask(self, **message: Any) -> dict[str, Any]:
        """Ask the session anything."""
        seconds = self.limits.step_seconds + 60

        async def call() -> dict[str, Any]:
            return await self.session.ask(seconds, **message)

        return self._portal.call(call)

    def step(self, code: str) -> dict[str, Any]:
        """Run a block; the whole reply."""
        return self.ask(code=code)

    def run(self, code: str) -> str:
        """Run a block; what the model is shown."""
        return str(self.step(code)["output"])

    def verdict(self) -> dict[str, Any]:
        """Finish and evaluate."""
        return self._portal.call(sessions.evaluate, WORLD, self.task, self.ask(finish=True)["files"])

    def close(self) -> None:
        """End the session."""
        self._portal.call(self.session.close)


Open = Callable[..., Player]


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """An event loop for the whole run, where sessions live."""
    places.require(WORLD)
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="session")
def tasks(portal: BlockingPortal) -> list[AppTask]:
    """The first tasks of the mini world's train split."""
    return data.load(SPLIT)[:3]


@pytest.fixture(scope="session")
def task(tasks: list[AppTask]) -> str:
    """The first task's id."""
    return tasks[0].id


@pytest.fixture(scope="session")
def solution(portal: BlockingPortal) -> Callable[[str], list[str]]:
    """A task's own solution as code blocks."""
    known: dict[str, list[str]] = {}

    def steps(task: str) -> list[str]:
        if task not in known:
            shown = portal.call(sessions.demonstrate, WORLD, task)
            assert shown["success"]
            known[task] = [step["code"] for step in shown["steps"]]
        return known[task]

    return steps


@pytest.fixture(scope="module")
def open_player(portal: BlockingPortal) -> Iterator[Open]:
    """Open sessions that end with the module's tests."""
    players: list[Player] = []

    def open_one(task: str, **changed: int) -> Player:
        players.append(Player(portal, task, LIMITS.model_copy(update=changed)))
        return players[-1]

    yield open_one
    for player in players:
        player.close()


class Official:
    """The unmodified engine in a process of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "data").symlink_to(places.full_data(WORLD))
        environment = {
            "APPWORLD_ROOT": str(root),
            "APPWORLD_CACHE": str(root / "cache"),
            "PATH": os.environ["PATH"],
        }
        self.process = subprocess.Popen(
            [places.engine_python(), Path(__file__).parent / "official.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(root / "stderr").open("w"),
            env=environment,
            text=True,
            cwd=root,
        )

    def send(self, **request: Any) -> None:
        """Put a question; the engine works on it while the test does something else."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """The answer to the question put first."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def ask(self, **request: Any) -> Any:
        """Put a question and wait for the answer."""
        self.send(**request)
        return self.answer()


@pytest.fixture(scope="session")
def official(portal: BlockingPortal) -> Iterator[Official]:
    """The unmodified engine."""
    with tempfile.TemporaryDirectory(prefix="kate-official-") as root:
        engine = Official(Path(root))
        yield engine
        engine.process.kill()
        engine.process.communicate()


def engine_processes(parent: int | None = None) -> list[psutil.Process]:
    """All live processes of engines that a process (this one) has started."""
    children = psutil.Process(parent or os.getpid()).children(recursive=True)
    return [child for child in children if _is_engine(child)]


def _is_engine(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "kate_engine.serve" in process.cmdline()
    except psutil.NoSuchProcess:
        return False
