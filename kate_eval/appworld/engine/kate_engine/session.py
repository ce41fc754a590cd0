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
from kate_engine.text import encodable, shortened
from kate_engine.wire import Wire, WireError
from kate_engine.world import run_world

GRACE_SECONDS = 5
"""How long after a step's time the shell may take to say so itself."""
WORLD_SECONDS = 60
"""How long the world may take for one call."""
SAVE_SECONDS = 100
START_SECONDS = 120
MAX_RESTARTS = 3
"""Shells that a sample may lose before it is over."""
MAX_SHELL_LINE = 4 * 1024 * 1024
MAX_WORLD_LINE = 256 * 1024 * 1024
MAX_DEPTH = 50
"""Of what an API is sent: deeper data would break whatever walks it on its way."""
_LOST = "The variables and functions you defined are gone; what your API calls did is not."
_TOO_MANY_CALLS = {"status": 429, "text": '{"message": "Too many API calls in one step."}'}
_TOO_DEEP = {"status": 422, "text": '{"message": "What was sent is nested too deeply."}'}


class Session:
    """The session of one connection."""

    def __init__(self, host: Wire, folder: Path, data: Path, task: str, limits: Limits) -> None:
        self._host = host
        self._limits = limits
        self._folder = folder
        self._steps: list[dict[str, str]] = []
        self._restarts = 0
        self._calls = 0
        self._overrun = False
        self._contained: list[str] = []
        # Before there is a world: a shell forked later is forked from here, where no database was loaded.
        self._world = fork(
            lambda wire: run_world(wire, folder, data, task), [host.connection], MAX_WORLD_LINE
        )
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
        answer = None
        try:
            if message is not None and self._world.ending is None:
                self._world.wire.send(message, seconds)
            if self._world.ending is None:
                answer = self._world.wire.receive(seconds)
        except TimeoutError as ex:
            raise _WorldOverrunError(f"the sample's world gave {ex}") from ex
        except WireError as ex:
            raise RuntimeError(f"the sample's world has failed: {ex}") from ex
        except ConnectionError:
            pass
        if answer is None:
            time.sleep(0.05)  # its socket closes a moment before it can be waited for
            raise RuntimeError(f"the sample's world is gone: {self._world.end()}")
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def execute(self, code: str) -> dict[str, Any]:
        """Run a code block of the model's.

        Raises:
            InterruptedError: the host gave up on it; a later block gets a fresh shell.
            RuntimeError: the world is gone, or no shell is left.

        Returns:
            "output" for the model, "completed" (the task was submitted), "lost" (why the shell was
            replaced, or None), "over" (no shell is left), "calls" (API calls made).
        """
        self._calls = 0
        lost = None
        try:
            output = self._run(code)
        except _WorldOverrunError:
            # The model's own call did that: the sample is over and has failed, or a model could choose not
            # to be scored.
            self._overrun = True
            self._world.end()
            self._end_shell()
            lost = f"an API call took over {WORLD_SECONDS} s; the task's world was given up"
            return {"output": lost, "completed": False, "lost": lost, "over": True, "calls": self._calls}
        except _ShellLostError as ex:
            lost = str(ex)
            output = encodable(f"Execution failed: {ex}. {_LOST}")
            self._replace_shell()
        self._steps.append({"input": encodable(code.strip()), "output": output.rstrip()})
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
            shell.wire.send({"code": code}, deadline - time.monotonic())
            while "output" not in (message := self._from_shell(shell, deadline)):
                shell.wire.send(self._answer(message), deadline - time.monotonic())
        except TimeoutError as ex:
            raise _ShellLostError(f"the code did not end within {self._limits.step_seconds} s") from ex
        except WireError as ex:
            raise _ShellLostError(f"Python sent something unreadable ({ex}) and was restarted") from ex
        except ConnectionError as ex:
            raise _ShellLostError(f"Python ended while the code ran ({self._end_shell()})") from ex
        except InterruptedError:
            self._replace_shell(counted=False)
            raise
        # What its threads would still do, they do only while a step of the model's runs.
        shell.signal(signal.SIGSTOP)
        return shortened(encodable(str(message["output"])), self._limits.max_output + 200)

    def _from_shell(self, shell: Child, deadline: float) -> dict[str, Any]:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:  # also for a shell that never stops calling
                raise TimeoutError("the step's time is up")
            waiting = [self._host] if shell.wire.ready else [shell.wire, self._host]
            ready = select.select(waiting, [], [], 0.0 if shell.wire.ready else left)[0]
            if self._host in ready:
                raise InterruptedError("the host has something else to say")
            if shell.wire.ready:
                break
            if ready:
                shell.wire.read()
        message = shell.wire.take()
        if message is None:
            raise _ShellLostError(f"Python ended while the code ran ({self._end_shell()})")
        return message

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """The answer to an API call: the world's, or why it was not asked."""
        call = message.get("call")
        if not isinstance(call, dict):
            raise WireError("no API call")
        self._calls += 1
        if self._calls > self._limits.max_calls:
            return _TOO_MANY_CALLS
        return _TOO_DEEP if depth(call) > MAX_DEPTH else self._ask_world({"call": call})

    def _end_shell(self) -> str:
        shell, self._shell = self._shell, None
        if shell is None:
            return "it is gone"
        # Its socket closes a moment before it can be waited for.
        time.sleep(0.05)
        return shell.end()

    def _replace_shell(self, counted: bool = True) -> None:
        self._end_shell()
        self._restarts += counted
        if self._restarts <= MAX_RESTARTS:
            self._shell = self._start_shell()

    def finish(self) -> dict[str, Any]:
        """Stop the shell; the world's outputs, file by file."""
        self._end_shell()
        if self._overrun:
            return {"files": {}}
        return {"files": self._ask_world({"save": self._steps}, SAVE_SECONDS)["files"]}


def depth(value: Any) -> int:
    """How deeply data is nested; needs no recursion."""
    levels = 0
    level = [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        levels += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return levels


class _WorldOverrunError(RuntimeError):
    """The world did not answer in time."""


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
            except Exception as ex:  # a process boundary: the host gets the reason
                reply = {"error": str(ex) or repr(ex)}
            host.send({"id": message["id"], **reply})
    finally:
        session.close()
