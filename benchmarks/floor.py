"""A bare asyncio client, the official executor and the official checker: no framework and no log.

With plain sockets it is the floor: nothing does less work and still gives verdicts. With `--client openai`
the requests go through AsyncOpenAI, as in a script that someone writes for the purpose. Only for gold: the
official executor evaluates call strings.
`python floor.py WORKLOAD BASE_URL [--client openai] [--limit N]` prints {"accuracy": ...}.
"""

import argparse
import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_checker import multi_turn_checker
from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_utils import execute_multi_turn_func_call

CATEGORY = "multi_turn_base"
AT_ONCE = 100


class Client(Protocol):
    """What a worker sends its requests through."""

    async def complete(self, request: dict[str, Any]) -> dict[str, Any]:
        """POST a chat completion and return its message."""

    def close(self) -> None:
        """Close the connection, if there is one."""


class Sockets:
    """One keep-alive connection to the endpoint."""

    def __init__(self, base_url: str) -> None:
        self._url = urlsplit(base_url)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def complete(self, request: dict[str, Any]) -> dict[str, Any]:
        """POST a chat completion and return its message."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._url.hostname, self._url.port)
        reader, writer = self._streams
        body = json.dumps(request).encode()
        start_line = f"POST {self._url.path}/chat/completions HTTP/1.1"
        writer.write(f"{start_line}\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        [length] = [int(line.split(":")[1]) for line in lines if line.startswith("content-length")]
        message: dict[str, Any] = json.loads(await reader.readexactly(length))["choices"][0]["message"]
        return message

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._streams is not None:
            self._streams[1].close()


class OpenAI:
    """Requests through an AsyncOpenAI that all workers share, as its own documentation has it."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def complete(self, request: dict[str, Any]) -> dict[str, Any]:
        """POST a chat completion and return its message."""
        answer = await self._client.chat.completions.create(**request)
        message: dict[str, Any] = answer.choices[0].message.model_dump(exclude_none=True)
        return message

    def close(self) -> None:
        """The connections are the shared client's."""


def clients(kind: str, base_url: str) -> Callable[[], Client]:
    """What makes a worker's client."""
    if kind == "sockets":
        return lambda: Sockets(base_url)
    from openai import AsyncOpenAI  # seconds to import, which the sockets must not pay

    shared = AsyncOpenAI(base_url=base_url, api_key="none")
    return lambda: OpenAI(shared)


def call_text(name: str, arguments: dict[str, Any]) -> str:
    """A call as the official executor takes it."""
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


async def play(entry: dict[str, Any], tools: list[dict[str, Any]], client: Client) -> list[list[list[str]]]:
    """Play an entry; returns turn -> step -> calls."""
    messages: list[dict[str, Any]] = []
    played: list[list[list[str]]] = []
    for turn in entry["turns"]:
        messages.append({"role": "user", "content": turn["user"]})
        played.append([])
        while True:
            message = await client.complete({"model": "gold", "messages": messages, "tools": tools})
            messages.append(message)
            calls = message.get("tool_calls")
            if not calls:
                break
            functions = [call["function"] for call in calls]
            texts = [call_text(function["name"], json.loads(function["arguments"])) for function in functions]
            played[-1].append(texts)
            results, _ = execute_multi_turn_func_call(
                texts, entry["initial_config"], entry["classes"], "floor", entry["id"]
            )
            for call, result in zip(calls, results, strict=True):
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
    return played


def correct(entry: dict[str, Any], played: list[list[list[str]]]) -> bool:
    """The official verdict."""
    test_entry = {**entry, "involved_classes": entry["classes"]}
    return bool(multi_turn_checker(played, entry["gold"], test_entry, CATEGORY, "floor")["valid"])


async def run(workload: dict[str, Any], client_of: Callable[[], Client], limit: int | None) -> float:
    """Play and check the entries; returns the accuracy."""
    shown = ("name", "description", "parameters")
    schemas = {
        name: {"type": "function", "function": {key: tool[key] for key in shown}}
        for name, tool in workload["tools"].items()
    }
    waiting = iter(workload["entries"][:limit])
    answers: list[tuple[dict[str, Any], list[list[list[str]]]]] = []

    async def worker() -> None:
        client = client_of()
        for entry in waiting:
            played = await play(entry, [schemas[name] for name in entry["tools"]], client)
            answers.append((entry, played))
        client.close()

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    # Checked at the end, as the official commands do: its executor keeps instances in module globals.
    return sum(correct(entry, played) for entry, played in answers) / len(answers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("workload", type=Path)
    parser.add_argument("base_url")
    parser.add_argument("--client", choices=("sockets", "openai"), default="sockets")
    parser.add_argument("--limit", type=int)
    args = parser.parse_args()
    workload = json.loads(args.workload.read_text(encoding="utf-8"))
    accuracy = asyncio.run(run(workload, clients(args.client, args.base_url), args.limit))
    print(json.dumps({"accuracy": accuracy}))


if __name__ == "__main__":
    main()
