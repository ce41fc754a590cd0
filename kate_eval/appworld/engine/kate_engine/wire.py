"""JSON lines over a socket, bounded: one object a line, no line longer than the reader allows."""

import contextlib
import json
import select
import socket
import time
from typing import Any

MAX_LINE = 16 * 1024 * 1024
"""Bytes of one line between trusted processes."""


class WireError(Exception):
    """The other side sent what is no line of ours, or sent too much of it."""


class Wire:
    """One end of a connection. Reading never blocks longer than asked."""

    def __init__(self, connection: socket.socket, max_line: int = MAX_LINE) -> None:
        self.connection = connection
        self._max_line = max_line
        self._buffer = bytearray()
        self._searched = 0
        self._ended = False

    def fileno(self) -> int:
        """The file descriptor, for select."""
        return self.connection.fileno()

    def send(self, message: dict[str, Any], seconds: float | None = None) -> None:
        """Send one message; waits while the other side's buffer is full.

        Raises:
            TimeoutError: the other side did not take it in that time.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        rest = memoryview(json.dumps(message).encode() + b"\n")
        while rest:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([], [self], [], left)[1]:
                raise TimeoutError(f"not taken within {seconds} s")
            with contextlib.suppress(BlockingIOError):
                rest = rest[self.connection.send(rest, socket.MSG_DONTWAIT) :]

    def receive(self, seconds: float | None = None) -> dict[str, Any] | None:
        """The next message; None at the end of the stream.

        Raises:
            TimeoutError: no whole message came in that time.
            WireError: the line is too long or no JSON object.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self.ready:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self], [], [], left)[0]:
                raise TimeoutError(f"no answer within {seconds} s")
            self.read()
        return self.take()

    @property
    def ready(self) -> bool:
        """Whether `take` has something to give: a message, or the end."""
        if self._buffer.find(b"\n", self._searched) >= 0:
            return True
        self._searched = len(self._buffer)
        return self._ended

    def read(self) -> None:
        """Take in what has arrived; call it when select says so.

        Raises:
            WireError: the line under way is too long.
        """
        try:
            data = self.connection.recv(1 << 16)
        except ConnectionError:
            data = b""
        self._ended = self._ended or not data
        self._buffer += data
        if len(self._buffer) > self._max_line:
            raise WireError(f"a line of over {self._max_line} bytes")

    def take(self) -> dict[str, Any] | None:
        """The message that is ready; None at the end of the stream.

        Raises:
            WireError: it is no JSON object.
        """
        end = self._buffer.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as ex:
            raise WireError(f"no JSON: {type(ex).__name__}") from ex
        if not isinstance(message, dict):
            raise WireError("no JSON object")
        return message

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
