"""The page from a server of this machine, with newer numbers while a grid runs.

The server answers on localhost only, and only to requests for it by name (a page of elsewhere that had its
name point here can't read the report). A thread looks for logs that changed and makes the report again; the
page asks for its data and gets an answer of no content as long as nothing did.
"""

import errno
import hashlib
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic

from kate_eval.errors import ConfigurationError, KateError, one_line
from kate_eval.report.document import Document, Flag
from kate_eval.report.page.html import html, page_data

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
EVERY = 2.0
"""Seconds between two looks at the logs; more where making the report takes longer."""
_OURS = re.compile(r"(localhost|127\.0\.0\.1)(:\d+)?")

Stamp = tuple[tuple[str, int, int], ...]
"""Path, size and time of change of each log."""


class Live:
    """The newest report of some folders, made again when a log in them changed."""

    def __init__(self, make: Callable[[], Document], folders: tuple[Path, ...]) -> None:
        self._make, self._folders = make, folders
        self._stamp: Stamp | None = None
        self._current = (b"", b"", "")

    @property
    def current(self) -> tuple[bytes, bytes, str]:
        """The page, its data as JSON, and the data's tag."""
        return self._current

    def refresh(self) -> bool:
        """Make the report again if a log changed; whether one did."""
        stamp = _stamp(self._folders)
        if stamp == self._stamp:
            return False
        document = self._document()
        data = json.dumps(page_data(document)).encode()
        self._current = (
            html(document, live=True).encode(),
            data,
            f'"{hashlib.sha256(data).hexdigest()[:16]}"',
        )
        self._stamp = stamp
        return True

    def _document(self) -> Document:
        try:
            return self._make()
        except KateError as ex:  # no logs yet: the page says so, and shows them when they come
            now = datetime.now(UTC).isoformat(timespec="seconds")
            note = Flag(code="waiting", text=one_line(ex))
            return Document(
                generated=now, tool_versions={}, folders=tuple(map(str, self._folders)), notes=(note,)
            )

    def watch(self, stop: threading.Event) -> None:
        """Refresh until told to stop; what goes wrong is logged, and tried again."""
        wait = EVERY
        while not stop.wait(wait):
            started = monotonic()
            try:
                self.refresh()
            except Exception:  # a thread of its own: the server goes on with its last numbers
                logger.exception("The report could not be made again")
            wait = max(EVERY, 2 * (monotonic() - started))


def _stamp(folders: tuple[Path, ...]) -> Stamp:
    """What changes when a log does; files that go away meanwhile are left out."""
    found = []
    for folder in folders:
        for file in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            if file.suffix in (".eval", ".json"):
                try:
                    state = file.stat()
                except FileNotFoundError:
                    continue
                found.append((str(file), state.st_size, state.st_mtime_ns))
    return tuple(found)


class _Handler(BaseHTTPRequestHandler):
    """Two addresses: the page and its data."""

    server: "_Server"

    def do_GET(self) -> None:
        page, data, tag = self.server.live.current
        path = self.path.partition("?")[0]
        if not _OURS.fullmatch(self.headers.get("Host", "")):
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"This server answers to localhost only.\n")
        elif path == "/":
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", page)
        elif path == "/data.json" and self.headers.get("If-None-Match") == tag:
            self._answer(HTTPStatus.NOT_MODIFIED, None, b"", tag)
        elif path == "/data.json":
            self._answer(HTTPStatus.OK, "application/json", data, tag)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"The report is at /\n")

    def _answer(self, status: HTTPStatus, kind: str | None, body: bytes, tag: str | None = None) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "ETag": tag,
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
        }
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        if status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        logger.debug(format, *args)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    live: Live


@contextmanager
def serving(make: Callable[[], Document], folders: tuple[Path, ...], port: int) -> Iterator[str]:
    """Serve the report until the block ends; yields its URL.

    Args:
        make: reads the logs and makes the report.
        folders: what it reads, to see when it changed.
        port: of the server; 0 takes a free one.

    Raises:
        ConfigurationError: the port is taken, or a folder is missing.
    """
    for folder in folders:
        if not folder.exists():
            raise ConfigurationError(f"No folder {folder}; logs go to ./logs unless --log-dir says otherwise")
    live, stop = Live(make, folders), threading.Event()
    server = _bound(port)
    server.live = live
    with server:
        live.refresh()
        threads = [
            threading.Thread(target=server.serve_forever, name="report-server", daemon=True),
            threading.Thread(target=live.watch, args=(stop,), name="report-watch", daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}/"
        finally:
            stop.set()
            server.shutdown()


def _bound(port: int) -> _Server:
    try:
        return _Server((HOST, port), _Handler)
    except OSError as ex:
        if ex.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "is taken" if ex.errno == errno.EADDRINUSE else "may not be used by this user"
        raise ConfigurationError(
            f"Port {port} of {HOST} {why}: choose another one with --port (0: any)"
        ) from ex
