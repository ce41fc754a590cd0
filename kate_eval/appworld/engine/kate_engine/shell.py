"""The process that runs a model's code: a contained shell whose APIs ask the session for every call.

It holds no database and no ground truth. Nothing that it says is trusted: what its APIs are asked goes
through the session's gate to the world's own process, and its printed output is only shown to the model.

Source of what a shell shows: appworld 0.1.3.post1, `AppWorld.execute` and its preamble; tests compare the
outputs of both. Departures: `requester` is not offered; output has a limit; KeyboardInterrupt is an error as
any other; random numbers are the shell's own, so that drawing some changes no access token.
"""

import ast
import linecache
import os
import re
import sys
import textwrap
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, cast

from appworld.apps import get_all_apps
from appworld.apps.api_lib import set_local_date_and_time, set_local_random_seed
from appworld.common.safety_guard import SafetyGuard
from appworld.common.utils import (
    CustomErrorMessageMunch,
    get_name_to_apis,
    get_stack_trace_from_exception,
    timeout_call,
)
from appworld.environment import AppWorld
from appworld.requester import Requester
from IPython.terminal.embed import InteractiveShellEmbed
from IPython.utils.capture import capture_output
from traitlets.config.loader import Config

from kate_engine.jail import contain, keep_only
from kate_engine.text import shortened
from kate_engine.wire import Wire

FAILED = "Execution failed. Traceback:\n"
_preamble: list[str] = []
"""The cell that prepares the engine's own shells, once `learn_preamble` has read it off one."""


@dataclass(frozen=True)
class Limits:
    """What one step may use."""

    step_seconds: int
    memory_bytes: int
    max_output: int
    """Characters of output that are shown."""
    max_calls: int
    """API calls a step."""


class Response:
    """What the engine's Requester needs of an HTTP response."""

    def __init__(self, status_code: int, text: str) -> None:
        self.status_code = status_code
        self.text = text

    def json(self) -> Any:
        """The body as data."""
        import json

        return json.loads(self.text)


class Client:
    """Stands in for the engine's HTTP client: asks the session instead."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def _ask(self, method: str, url: str, headers: dict[str, str] | None = None, **sent: Any) -> Response:
        call = {"method": method, "url": url, "headers": headers or {}, **sent}
        for part in ("params", "data"):  # an HTTP client makes text of them; of "json" it doesn't
            if sent.get(part):
                call[part] = {name: _as_text(value) for name, value in sent[part].items()}
        self._wire.send({"call": call})
        answer = self._wire.receive()
        if answer is None:
            os._exit(0)
        if "raised" in answer:
            raise _as_raised(*answer["raised"])
        return Response(answer["status"], answer["text"])

    def get(self, url: str, **sent: Any) -> Response:
        """GET."""
        return self._ask("get", url, **sent)

    def post(self, url: str, **sent: Any) -> Response:
        """POST."""
        return self._ask("post", url, **sent)

    def put(self, url: str, **sent: Any) -> Response:
        """PUT."""
        return self._ask("put", url, **sent)

    def patch(self, url: str, **sent: Any) -> Response:
        """PATCH."""
        return self._ask("patch", url, **sent)

    def delete(self, url: str, **sent: Any) -> Response:
        """DELETE."""
        return self._ask("delete", url, **sent)


def _as_raised(module: str, name: str, text: str) -> Exception:
    """What an API raised in the world's process, as it looks to the caller."""
    kind = type(name, (Exception,), {"__module__": module, "__str__": lambda _: text})
    return cast(Exception, kind())


def _as_text(value: Any) -> Any:
    """A parameter's value as httpx sends it; what JSON has no type for becomes text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return [_as_text(item) for item in value] if isinstance(value, list | tuple) else str(value)


def learn_preamble(world: AppWorld) -> None:
    """Take over what the engine runs first in its shells: its imports, `print` and `input`, to the line.

    Tracebacks show these lines, so a text of ours would show.
    """
    cell = world.shell.user_ns["print"].__code__.co_filename
    _preamble[:] = ["".join(linecache.getlines(cell))]


@cache
def offered() -> tuple[Requester, Any]:
    """The engine's Requester, with no app and no database of its own, and the APIs that ask it.

    Takes a while, so the warm parent makes them; they are complete once the Requester has a Client.
    """
    requester = Requester(
        to_db_home_path=":memory:none",
        from_db_home_path=":memory:none",
        load_apps=[],
        skip_mandatory_apps=True,
        raise_on_failure=True,
    )
    # Its own client runs a thread, which neither a fork nor a jail would hold.
    requester.client.__exit__(None, None, None)
    Requester.clients.clear()
    return requester, _apis(requester)


def _apis(requester: Requester) -> Any:
    """The APIs by app and name, with the engine's messages for names that don't exist."""
    apis = CustomErrorMessageMunch.build("No app named '{key}' found.")
    for app in get_all_apps():
        found = CustomErrorMessageMunch.build("No API named '{key}' found in the " + app + " app.")
        for name in get_name_to_apis(app):
            found[name] = _api(requester, app, name)
        apis[app] = found
    return apis


def _api(requester: Requester, app: str, name: str) -> Any:
    def call(**arguments: Any) -> Any:
        if arguments.pop("_system_datetime", None) is not None:
            raise Exception("Cannot set system_datetime when allow_datetime_change is False.")
        strict = arguments.pop("raise_on_failure", None)
        return requester.request(_app_name=app, _api_name=name, raise_on_failure=strict, **arguments)

    call.__qualname__ = "_wrap_api_request.<locals>._api_request"  # tracebacks show it
    return call


class Shell:
    """An IPython shell that runs code blocks as the engine's own world does."""

    def __init__(self, wire: Wire, now: datetime, limits: Limits) -> None:
        self._limits = limits
        self._requester, apis = offered()
        self._requester.client = Client(wire)
        self._requester.request_tracker.max_num_requests = limits.max_calls
        self._guard = SafetyGuard()
        config = Config()
        config.HistoryManager.enabled = False
        hook = sys.excepthook
        self._shell = InteractiveShellEmbed(config=config)
        sys.excepthook = hook
        self._shell.ast_node_interactivity = "none"
        self._shell.run_cell(_preamble[0])
        self._shell.user_ns["apis"] = apis
        set_local_date_and_time(now)
        set_local_random_seed(AppWorld.init_defaults.random_seed)

    def execute(self, code: str) -> str:
        """Run a code block; what it printed, or how it failed."""
        safe, reason = self._guard.is_syntax_safe(code)
        if not safe:
            return FAILED + str(reason)
        self._requester.reset_request_count()
        code = code.strip()
        self._guard.enable()
        try:
            return self._refusal(code) or self._run(code)
        finally:
            self._guard.disable()

    def _refusal(self, code: str) -> str:
        try:
            ast.parse(code)
        except SyntaxError as ex:
            return f"{FAILED}Syntax error in line:\n{(ex.text or '').rstrip()}\nMessage: {ex.msg}"
        except (ValueError, RecursionError, MemoryError) as ex:
            return f"{FAILED}{type(ex).__name__}: {ex}"
        return "" if code else "No code available to execute."

    def _run(self, code: str) -> str:
        seconds = self._limits.step_seconds
        with capture_output(stdout=True, stderr=True, display=True) as captured:
            try:
                result = timeout_call(self._shell.run_cell, timeout_seconds=seconds, raw_cell=code)
            except Exception:  # the alarm went off outside the cell
                return f"{FAILED}Execution timed out after {seconds} seconds."
        if result.success:
            return captured.stdout if captured.stdout.strip() else "Execution successful."
        error = result.error_before_exec or result.error_in_exec
        return FAILED + _traceback(error)


def _traceback(error: BaseException) -> str:
    text: str = get_stack_trace_from_exception(error, only_ipython=True, add_http_exception_message=True)
    if "ipython-input" in text:
        lines = text.splitlines()
        start = next(number for number, line in enumerate(lines) if "ipython-input" in line)
        text = re.sub(r'File "<ipython-input-\d+-\w+>"', 'File "<python-input>"', "\n".join(lines[start:]))
    text = text.replace("appworld.requester.NumRequestsLimitError", "Exception")
    long_name = "appworld.common.utils.TimeoutError: Function run_cell execution"
    return textwrap.dedent(text.replace(long_name, "Exception: Execution"))


def run_shell(wire: Wire, now: datetime, limits: Limits) -> None:
    """Be the shell of a session: contained, one code block after another, until the session ends it."""
    keep_only(wire.fileno())
    shell = Shell(wire, now, limits)
    os.dup2(0, 2)  # the engine's log is not for a model's code
    wire.send({"contained": contain(limits.memory_bytes)})
    while (message := wire.receive()) is not None:
        try:
            output = shell.execute(message["code"])
        except BaseException as ex:  # a model's code may have broken anything in here
            output = f"{FAILED}{type(ex).__name__}: {ex}"
        wire.send({"output": shortened(output, limits.max_output)})
