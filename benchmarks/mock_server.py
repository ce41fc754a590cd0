"""An OpenAI-compatible server that plays gold back: the same answers, at the same latency, for every peer.

Only the messages decide the answer: the user texts so far name the entry and the turn, the assistant
messages since the last of them the step. Standard library only, and little CPU: it shares the cores
with what is measured. `python mock_server.py WORKLOAD [--port N] [--latency-ms 50]` prints its address.

Not a general HTTP server: HTTP/1.1 with Content-Length, keep-alive, no pipelining, no streaming.
"""

import argparse
import asyncio
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

CLOSING = "Done."


class Gold:
    """The next gold message of a conversation."""

    def __init__(self, workload: dict[str, Any]) -> None:
        self._turns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for entry in workload["entries"]:
            said: tuple[str, ...] = ()
            for turn in entry["turns"]:
                said = (*said, turn["user"])
                calls = [{"name": step["name"], "arguments": step["arguments"]} for step in turn["steps"]]
                # Two entries open with the same text; their gold agrees for as long as the texts do.
                if self._turns.setdefault(said, calls) != calls:
                    raise ValueError(f"{entry['id']}: the user texts don't tell entries apart")

    def next_call(self, messages: list[dict[str, Any]]) -> dict[str, Any] | None:
        """The call that comes next; None when the turn's closing text does.

        Raises:
            LookupError: no entry has these user texts.
        """
        said: list[str] = []
        step = 0
        for message in messages:
            if message["role"] == "user":
                said.append(_text(message["content"]))
                step = 0
            elif message["role"] == "assistant":
                step += 1
        steps = self._turns.get(tuple(said))
        if steps is None:
            raise LookupError(f"no entry has these user texts: {said}"[:500])
        return steps[step] if step < len(steps) else None


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


class Playback:
    """Requests in, response bodies out, and the counts."""

    def __init__(self, gold: Gold) -> None:
        self._gold = gold
        self._ids = itertools.count(1)
        self.requests = 0
        self.refused = 0

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any], bool]:
        """Answer a request: status, JSON, and whether it waits like a model's answer."""
        if method == "GET" and path.endswith("/models"):
            return 200, {"object": "list", "data": [{"id": "gold", "object": "model"}]}, False
        if method == "GET" and path == "/stats":
            return 200, self.stats(), False
        if method != "POST" or not path.endswith("/chat/completions"):
            return 404, _error(f"no such path: {method} {path}"), False
        self.requests += 1
        try:
            request = json.loads(body)
            call = self._gold.next_call(request["messages"])
        except (LookupError, TypeError, ValueError) as ex:
            self.refused += 1
            return 400, _error(f"{type(ex).__name__}: {ex}"), False
        return 200, self._completion(request, call, len(body)), True

    def stats(self) -> dict[str, Any]:
        """Counts since the start, and the server's own CPU seconds."""
        return {"requests": self.requests, "refused": self.refused, "cpu_s": time.process_time()}

    def _completion(self, request: dict[str, Any], call: dict[str, Any] | None, size: int) -> dict[str, Any]:
        prompt, completion = size // 4, 20
        return {
            "id": f"chatcmpl-{next(self._ids)}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": request.get("model", "gold"),
            "choices": [
                {
                    "index": index,
                    "message": self._message(call),
                    "finish_reason": "stop" if call is None else "tool_calls",
                    "logprobs": None,
                }
                for index in range(request.get("n") or 1)
            ],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
            },
        }

    def _message(self, call: dict[str, Any] | None) -> dict[str, Any]:
        if call is None:
            return {"role": "assistant", "content": CLOSING}
        function = {"name": call["name"], "arguments": json.dumps(call["arguments"])}
        tool_call = {"id": f"call_{next(self._ids)}", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [tool_call]}


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, playback: Playback, latency_s: float) -> None:
        self._playback = playback
        self._latency_s = latency_s
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer when the request is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            start_line, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(":", 1) for line in lines)
            stop = end + 4 + int(headers.get("content-length", 0))
            if len(self._buffer) < stop:
                return
            body = bytes(self._buffer[end + 4 : stop])
            del self._buffer[:stop]
            method, path, _ = start_line.split(" ", 2)
            status, answer, waits = self._playback.answer(method, path.partition("?")[0], body)
            text = json.dumps(answer).encode()
            head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n"
            head += f"content-length: {len(text)}\r\n\r\n"
            delay = self._latency_s if waits else 0.0
            asyncio.get_running_loop().call_later(delay, self._send, head.encode() + text)

    def _send(self, response: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(response)


async def serve(workload: Path, port: int, latency_s: float) -> None:
    """Serve until cancelled; prints the base URL once it listens."""
    playback = Playback(Gold(json.loads(workload.read_text(encoding="utf-8"))))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(playback, latency_s), "127.0.0.1", port, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    # The bench holds our standard input open: when it ends, however it ends, so do we.
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("workload", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    args = parser.parse_args()
    asyncio.run(serve(args.workload, args.port, args.latency_ms / 1000))


if __name__ == "__main__":
    main()
