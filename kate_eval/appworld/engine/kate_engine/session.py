"""One sample's session: it connects the shell that runs a model's code with the world that it acts on.

It bounds what the shell does: time, output, API calls. A shell that hangs, dies or floods is replaced by a
fresh one, and the model is told; the world is not touched by it. Between steps the shell is stopped.
"""

import os
import select
import signal
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from kate_engine.process import Child, fork
from kate_engine.shell import Limits, run_shell
from kate_engine.text import shortened
from kate_engine.wire import Wire, WireError
from kate_engine.world import run_world

GRACE_SECONDS = 5
"""How long after a step's time the shell may take to say so itself."""
WORLD_SECONDS = 60
"""How long the world may take for one call."""
START_SECONDS = 120
MAX_RESTARTS = 3
"""Shells that a sample may lose before it is over."""
MAX_SHELL_LINE = 4 * 1024 * 1024
_LOST = "The variables and functions you defined are gone; what your API calls did is not."
_TOO_MANY_CALLS = {"status": 429, "text": '{"message": "Too many API calls in one step."}'}


class Session:
    """The session of one connection."""

    def __init__(self, host: Wire, folder: Path, data: Path, task: str, limits: Limits) -> None:
        self._host = host
        self._limits = limits
        self._folder = folder
        self._steps: list[dict[str, str]] = []
        self._restarts = 0
        self._calls = 0
        self._contained: list[str] = []
        # Before there is a world: a shell forked later is forked from here, where no database was loaded.
        self._world = fork(lambda wire: run_world(wire, folder, data, task), [host.connection])
        self._now = datetime.fromisoformat(self._ask_world(None, START_SECONDS)["now"])
        self._shell: Child | None = self._start_shell()

    def opened(self) -> dict[str, Any]:
        """What the host is told once the session is open."""
        shell = self._shell.pid if self._shell else None
        return {"contained": self._contained, "world_pid": self._world.pid, "shell_pid": shell}

    def close(self) -> None:
        """End both processes."""
        for child in (self._shell, self._world):
            if child is not None:
                child.end()

    def _start_shell(self) -> Child:
        others = [self._host.connection, self._world.wire.connection]
        now, limits, folder = self._now, self._limits, self._folder / "shell"
        folder.mkdir(exist_ok=True)

        def work(wire: Wire) -> None:
            os.chdir(folder)
            run_shell(wire, now, limits)

        child = fork(work, others, MAX_SHELL_LINE)
        started = child.wire.receive(START_SECONDS)
        if started is None:
            raise RuntimeError(f"no shell could be started: {child.end()}")
        self._contained = [str(layer) for layer in started["contained"]]
        return child

    def _ask_world(self, message: dict[str, Any] | None, seconds: float = WORLD_SECONDS) -> dict[str, Any]:
        if message is not None:
            self._world.wire.send(message)
        answer = self._world.wire.receive(seconds)
        if answer is None:
            raise RuntimeError(f"the sample's world is gone: {self._world.end()}")
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def execute(self, code: str) -> dict[str, Any]:
        """Run a code block of the model's.

        Returns:
            "output" for the model, "completed" (the task was submitted), "lost" (why the shell was
            replaced, or None), "over" (no shell is left), "calls" (API calls made).
        """
        self._calls = 0
        lost = None
        try:
            output = self._run(code)
        except _ShellLostError as ex:
            lost = str(ex)
            output = f"Execution failed: {ex}. {_LOST}"
            self._replace_shell()
        self._steps.append({"input": code, "output": output})
        return {
            "output": output,
            "completed": bool(self._ask_world({"completed": True})["completed"]),
            "lost": lost,
            "over": self._shell is None,
            "calls": self._calls,
        }

    def _run(self, code: str) -> str:
        shell = self._shell
        if shell is None:
            raise RuntimeError("the session is over: it has lost too many shells")
        shell.signal(signal.SIGCONT)
        deadline = time.monotonic() + self._limits.step_seconds + GRACE_SECONDS
        try:
            shell.wire.send({"code": code})
            while True:
                message = self._from_shell(shell, deadline)
                if "output" in message:
                    break
                self._pass_on(shell, message)
        except (WireError, BrokenPipeError, ConnectionError) as ex:
            raise _ShellLostError(f"Python sent something unreadable ({ex}) and was restarted") from ex
        # What its threads would still do, they do only while a step of the model's runs.
        shell.signal(signal.SIGSTOP)
        return shortened(str(message["output"]), self._limits.max_output + 200)

    def _from_shell(self, shell: Child, deadline: float) -> dict[str, Any]:
        while not shell.wire.ready:
            left = deadline - time.monotonic()
            ready = select.select([shell.wire, self._host], [], [], max(0.0, left))[0]
            if not ready:
                raise _ShellLostError(f"the code did not end within {self._limits.step_seconds} s")
            if self._host in ready:
                raise InterruptedError("the host has something else to say")
            shell.wire.read()
        message = shell.wire.take()
        if message is None:
            raise _ShellLostError(f"Python ended while the code ran ({self._end_shell()})")
        return message

    def _pass_on(self, shell: Child, message: dict[str, Any]) -> None:
        """Pass an API call on to the world and its answer back."""
        call = message.get("call")
        if not isinstance(call, dict):
            raise WireError("no API call")
        self._calls += 1
        too_many = self._calls > self._limits.max_calls
        shell.wire.send(_TOO_MANY_CALLS if too_many else self._ask_world({"call": call}))

    def _end_shell(self) -> str:
        shell, self._shell = self._shell, None
        if shell is None:
            return "it is gone"
        # Its socket closes a moment before it can be waited for.
        time.sleep(0.05)
        return shell.end()

    def _replace_shell(self) -> None:
        self._end_shell()
        self._restarts += 1
        if self._restarts <= MAX_RESTARTS:
            self._shell = self._start_shell()

    def finish(self) -> dict[str, Any]:
        """Stop the shell; the world's outputs, file by file."""
        self._end_shell()
        return {"files": self._ask_world({"save": self._steps})["files"]}


class _ShellLostError(Exception):
    """The shell must be replaced; the text says why, for the model."""


def run_session(host: Wire, folder: Path, data: Path, opening: dict[str, Any]) -> None:
    """Serve one connection of the host until it closes it."""
    session = Session(host, folder, data, str(opening["task"]), Limits(**opening["limits"]))
    try:
        host.send({"id": opening["id"], **session.opened()})
        while (message := host.receive()) is not None:
            try:
                reply = session.finish() if "finish" in message else session.execute(str(message["code"]))
            except InterruptedError:
                continue  # the host gave up waiting: its next message, or its end, is there
            host.send({"id": message["id"], **reply})
    finally:
        session.close()
