"""A real HTTP server in the test's process, whose answers are a function of the request."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from inspect_ai.model import Model, get_model

from tests.listening import Listening

Json = dict[str, Any]


@dataclass
class Reply:
    """One response. `cut` bytes are left out at its end, and the connection closed."""

    body: bytes | Json
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0
    hang_up: bool = False

    @property
    def bytes(self) -> bytes:
        """The body as sent."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def said(*texts: str, cached: int | None = None, **message: Any) -> Reply:
    """A chat completion whose choices say these texts."""
    choices = [
        {"index": n, "finish_reason": "stop", "message": {"role": "assistant", "content": text, **message}}
        for n, text in enumerate(texts)
    ]
    usage: Json = {"prompt_tokens": 10, "completion_tokens": 3 * len(texts)}
    usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
    usage["prompt_tokens_details"] = None if cached is None else {"cached_tokens": cached}
    return Reply({"id": "x", "model": "m", "choices": choices, "usage": usage})


@dataclass
class Served:
    """A running server: where it is, and what it was asked."""

    url: str
    requests: list[Json] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)


Answer = Callable[[Json, int], Reply]
"""From a request and its number to the response."""


@contextmanager
def serving(answer: Answer, port: int = 0) -> Iterator[Served]:
    """Serve chat completions; the models are m and other."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            models = {"data": [{"id": "m"}, {"id": "other"}]}
            self.send(Reply(models) if self.path.endswith("/models") else Reply({}, 404))

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                served.requests.append(request)
                served.headers.append(dict(self.headers))
                number = len(served.requests)
            self.send(answer(request, number))

        def send(self, reply: Reply) -> None:
            if reply.hang_up:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.bytes)))
            self.end_headers()
            self.wfile.write(reply.bytes[: len(reply.bytes) - reply.cut])
            self.close_connection = bool(reply.cut)

        def log_message(self, *args: object) -> None:
            pass

    class Server(Listening):
        daemon_threads = True

        def handle_error(self, *args: object) -> None:
            pass

    http = Server(("127.0.0.1", port), Handler)
    served = Served(f"http://127.0.0.1:{http.server_port}/v1")
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield served
    finally:
        http.shutdown()
        http.server_close()


def free_port() -> int:
    """A port where nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def kate(*urls: str, name: str = "m", **arguments: Any) -> Model:
    """The provider at these base URLs."""
    return get_model(f"kate/{name}", base_url=",".join(urls), memoize=False, **arguments)
