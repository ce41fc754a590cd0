"""The process that holds a sample's world: the engine's databases and APIs, behind a gate.

A model's code never runs here. It can only ask for the documented APIs, as an HTTP client could.
"""

import json
import re
import resource
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from appworld import AppWorld, update_root
from appworld.api_docs import prepare_api_docs
from appworld.apps import get_all_apps

from kate_engine.process import limit
from kate_engine.text import encodable
from kate_engine.wire import Wire

EXPERIMENT = "sample"
"""Name of the engine's experiment inside a scratch folder."""
_SENT = ("params", "json", "data", "headers")
METHODS = ("get", "post", "put", "patch", "delete")
MAX_SENT = 20_000_000
"""Bytes that all API calls of a sample may send."""
MAX_ANSWER = 8_000_000
"""Bytes of one API call's answer."""
MAX_SAVED = 32_000_000
"""Bytes of a world's outputs as they are sent; no honest sample comes near."""
MEMORY_BYTES = 4 * 1024 * 1024 * 1024
"""Address space of a world: a model's API calls can make the databases grow."""
_NOT_FOUND = {"status": 404, "text": json.dumps({"message": "Not Found"})}
_NO_CALL = {"status": 400, "text": json.dumps({"message": "This is no API call."})}
_TOO_MUCH = {"status": 413, "text": json.dumps({"message": f"More than {MAX_SENT} bytes were sent."})}
_TOO_LONG = {"status": 413, "text": json.dumps({"message": f"The answer has over {MAX_ANSWER} bytes."})}


def scratch_root(folder: Path, data: Path) -> Path:
    """A root of the engine's in `folder`: the given data, and outputs of its own."""
    root = folder / "root"
    root.mkdir()
    (root / "data").symlink_to(data)
    update_root(str(root))
    return root


class Gate:
    """Lets through what the documentation offers, and what no route takes; not the private routes."""

    def __init__(self) -> None:
        self._apps = frozenset(get_all_apps(skip_admin=True))
        self._private: list[tuple[str, re.Pattern[str]]] = []
        for app in self._apps:
            public = {(d["method"], d["path"]) for d in prepare_api_docs(app, include_private_apis=False)}
            every = {(d["method"], d["path"]) for d in prepare_api_docs(app, include_private_apis=True)}
            self._private += [(method.lower(), _pattern(path)) for method, path in every - public]

    def passes(self, method: str, url: str) -> bool:
        """Whether a call may reach the apps.

        Args:
            method: of METHODS, or something else.
            url: begins with exactly one slash; with two, the client would take an app's name for a host.
        """
        path = _plain(url)
        if method not in METHODS or path is None:
            return False
        parts = path.split("/")
        if parts[1] not in self._apps or ".." in path or "" in parts[1:-1]:
            return False
        return not any(kind == method and pattern.fullmatch(path) for kind, pattern in self._private)


def _plain(url: str) -> str | None:
    """The path as routes see it: the client and the server both decode it. None if it hides itself."""
    path = url.split("?")[0].split("#")[0]
    for _ in range(4):
        decoded = unquote(path)
        if decoded == path:
            return path
        path = decoded
    return None


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape("/" + path.strip("/"))) + "/?")


class World:
    """One task's world."""

    def __init__(self, task: str) -> None:
        self._world = AppWorld(task_id=task, experiment_name=EXPERIMENT, load_ground_truth=False)
        self._gate = Gate()
        self._sent = 0

    @property
    def now(self) -> str:
        """The task's date and time, ISO format."""
        return str(self._world.task.datetime.isoformat())

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Answer one message of the session; "error" for what is no fault of the model's."""
        try:
            if "call" in message:
                return self.call(message["call"])
            if "completed" in message:
                return {"completed": self._world.task_completed()}
            return {"files": self.save(message["save"])}
        except MemoryError:  # only a model's calls make a world that large
            return {"files": {}} if "save" in message else _TOO_MUCH
        except Exception as ex:  # a process boundary: a full disk, for instance
            return {"error": f"{type(ex).__name__}: {ex}"}

    def call(self, call: dict[str, Any]) -> dict[str, Any]:
        """Make an API call and log it, as the engine's Requester would."""
        sent = {name: call[name] for name in _SENT if call.get(name)}
        if not all(isinstance(part, dict) for part in sent.values()):
            return _NO_CALL
        method, url = str(call.get("method")), "/" + str(call.get("url")).lstrip("/")
        if not self._gate.passes(method, url):
            return _NOT_FOUND
        self._sent += len(json.dumps(sent)) + len(url)
        if self._sent > MAX_SENT:
            return _TOO_MUCH
        self._log(method, url, sent)
        try:
            response = self._world.requester.client.request(method, url, **sent)
        except Exception as ex:  # whatever a model's arguments broke in the engine, it is told
            return {"raised": [type(ex).__module__, type(ex).__qualname__, encodable(str(ex))[:2000]]}
        if len(response.content) > MAX_ANSWER:
            return _TOO_LONG
        return {"status": response.status_code, "text": response.text}

    def _log(self, method: str, url: str, sent: dict[str, Any]) -> None:
        token = str(sent.get("headers", {}).get("Authorization", "")).removeprefix("Bearer ")
        data: dict[str, Any] = {}
        for part in ("params", "json", "data"):
            data |= sent.get(part, {})
        if token:
            data["access_token"] = token
        tracker = self._world.requester.request_tracker
        tracker.reset_request_count()
        tracker.add_request(method=method, url=url, data=data)

    def save(self, steps: list[dict[str, str]]) -> dict[str, str]:
        """Save the world's state and logs as the engine does.

        Returns:
            Path below the task's folder -> content; nothing where a model has made it absurdly large.
        """
        world = self._world
        world.environment_io = steps
        world.models.save(
            db_home_path=world.output_db_home_path_on_disk,
            format="changes",
            app_names=[*world.task.allowed_apps, "admin"],
            delete_if_exists=True,
            save_model_hashes=True,
        )
        world.save_logs()
        folder = Path(world.output_directory)
        paths = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        if sum(file.stat().st_size for file in paths) > MAX_SAVED:
            return {}
        files = {file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8") for file in paths}
        # Escaping can make more of them than the files hold.
        return files if len(json.dumps(files)) <= MAX_SAVED else {}


def run_world(wire: Wire, folder: Path, data: Path, task: str) -> None:
    """Be the world of a session until the session ends it."""
    scratch_root(folder, data)
    limit(resource.RLIMIT_AS, MEMORY_BYTES)
    limit(resource.RLIMIT_FSIZE, MAX_SAVED * 4)
    try:
        world = World(task)
    except Exception as ex:  # a process boundary: the session tells the host
        wire.send({"error": f"{type(ex).__name__}: {ex}"})
        return
    wire.send({"now": world.now})
    while (message := wire.receive()) is not None:
        wire.send(world.answer(message))
