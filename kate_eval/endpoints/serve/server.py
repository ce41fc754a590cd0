"""One server of vLLM's: a supervised process group, a log, and the address where it answers."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kate_eval.endpoints.serve.failures import explain
from kate_eval.errors import ConfigurationError, ServerError

SUPERVISOR = Path(__file__).parent / "supervisor.py"
GRACE_SECONDS = 15.0
"""That a server has to end by itself before it is killed."""
ASK_SECONDS = 5
LAST_LINES = 30
_SEARCHED_LINES = 400
# Whatever proxies the user has: these servers are ours.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Server:
    """A server, from its start to its end."""

    command: tuple[str, ...]
    environment: dict[str, str]
    host: str
    port: int
    log: Path
    key: str | None = None
    """That its requests need, where the user asked for one."""
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def base_url(self) -> str:
        """With /v1, as clients want it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/v1"

    def start(self) -> None:
        """Start the process.

        Raises:
            ConfigurationError: its port is taken.
        """
        check_port(self.host, self.port)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(SUPERVISOR), str(GRACE_SECONDS), *self.command],
                stdin=subprocess.PIPE,  # its end of ours is what tells the supervisor that we live
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.process.poll() if self.process else None

    def ready(self) -> bool:
        """Whether it is healthy.

        Raises:
            ServerError: it has ended.
        """
        if self.code is not None:
            raise ServerError(self.obituary())
        try:
            with _opener.open(f"{_local(self.base_url).removesuffix('/v1')}/health", timeout=ASK_SECONDS):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def models(self) -> list[dict[str, Any]]:
        """What it serves, as /v1/models lists it.

        Raises:
            ServerError: it gives no list.
        """
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        request = urllib.request.Request(f"{_local(self.base_url)}/models", headers=headers)
        try:
            with _opener.open(request, timeout=ASK_SECONDS * 4) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]
                return found
        except (OSError, ValueError, KeyError, TypeError) as ex:
            raise ServerError(
                f"{self.base_url}/models gave no list of models ({ex}). {self.last_lines()}"
            ) from ex

    def stop(self) -> None:
        """End it with all that it started."""
        self.begin_stop()
        self.finish_stop()

    def begin_stop(self) -> None:
        """Tell it to end."""
        if self.process and self.process.stdin:
            self.process.stdin.close()

    def finish_stop(self) -> None:
        """Wait until it has ended; its supervisor kills what doesn't."""
        if self.process:
            try:
                self.process.wait(3 * GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def obituary(self) -> str:
        """Why it ended, its last lines and where the others are."""
        cause = explain(self.lines(_SEARCHED_LINES), self.code)
        head = f"The server at {self.base_url} ended (exit code {self.code})."
        return f"{head} {cause}\n{self.last_lines()}" if cause else f"{head}\n{self.last_lines()}"

    def last_lines(self) -> str:
        """The end of its log."""
        return f"Its last lines:\n{self.lines(LAST_LINES)}\n(all of them: {self.log})"

    def lines(self, count: int) -> str:
        """The last lines of its log."""
        if not self.log.is_file():
            return ""
        with self.log.open(encoding="utf-8", errors="replace") as file:
            return "".join(deque(file, count)).rstrip()


def wait_until_ready(servers: list[Server], timeout: float, say: Any, every: float = 15) -> None:
    """Wait until all are healthy; says now and then what they are at.

    Raises:
        ServerError: one ended, or did not answer in time.
    """
    begun = said = time.monotonic()
    waiting = list(servers)
    while waiting:
        waiting = [server for server in waiting if not server.ready()]
        now = time.monotonic()
        if waiting and now - begun > timeout:
            server = waiting[0]
            raise ServerError(
                f"The server at {server.base_url} did not answer within {timeout:.0f} s. If it is only slow, "
                f"give it longer: --timeout {2 * max(timeout, 60):.0f}. "
                f"{explain(server.lines(_SEARCHED_LINES), None)}\n{server.last_lines()}"
            )
        if waiting and now - said >= every:
            said = now
            last = waiting[0].lines(1)[-100:]
            say(f"  {now - begun:.0f} s, {len(servers) - len(waiting)} of {len(servers)} ready: {last}")
        time.sleep(0.3 if waiting else 0)


def check_port(host: str, port: int) -> None:
    """Check that a port is free.

    Raises:
        ConfigurationError: it isn't, or the host is not this machine's.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OverflowError as ex:
        raise ConfigurationError(f"Port {port} is beyond 65535. Choose a lower --port") from ex
    except OSError as ex:
        raise ConfigurationError(
            f"Port {port} of {host} can't be used ({ex.strerror}). Choose another: "
            f"--port {min(port + 100, 65000)}"
        ) from ex


def _local(url: str) -> str:
    """An address to ask a server of this machine that listens on all."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
