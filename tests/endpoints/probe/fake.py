"""An OpenAI-compatible server in the test process whose abilities are switches."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from itertools import count
from typing import Any

from tests.listening import Listening

AUTO = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
NUMBERS = count()


@dataclass
class Fake:
    """What the server can do; by default all of it."""

    models: tuple[str, ...] = ("fake",)
    adapters: tuple[str, ...] = ()
    context: int | None = 32768
    honours_n: bool = True
    distinct: bool = True
    greedy_n: bool = True
    tools: str = "parsed"
    """parsed, raw (no parser reads the calls), malformed or cut (no parser can), refused (400), or silent
    (the model makes no call)."""
    required: bool = True
    obeys_none: bool = True
    reasoning: str = "apart"
    """apart, inline, first (of several choices only the first has it) or none."""
    usage: bool = True
    prompt_once: bool = True
    logprobs: bool = True
    seeded: bool = True
    cache: bool = True
    tokenize: bool = True
    status: int = 200
    html: bool = False
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    seeds_at_once: int = 0
    """The most seeded requests that were open at the same time."""

    def get(self, path: str) -> tuple[int, Any]:
        """Answer GET."""
        if not path.endswith("/models"):
            return 404, {"error": {"message": "not found"}}
        listed: list[dict[str, Any]] = [
            {"id": name, "parent": None} | ({"max_model_len": self.context} if self.context else {})
            for name in self.models
        ]
        return 200, {"data": listed + [{"id": name, "parent": "fake"} for name in self.adapters]}

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Answer POST."""
        if path.endswith("/tokenize"):
            return (200, {"count": 3}) if self.tokenize else (404, {"error": {"message": "not found"}})
        self.requests.append(body)
        wanted = body.get("n") or 1
        if body.get("max_tokens", 0) > 1_000_000:
            return refused("This model's maximum context length is 20000 tokens")
        if body.get("temperature") == 0 and wanted > 1 and not self.greedy_n:
            return refused("n must be 1 when using greedy sampling, got 2.")
        if self.tools == "refused" and body.get("tools") and body.get("tool_choice", "auto") == "auto":
            return refused(AUTO)
        number = wanted if self.honours_n else 1
        choices = [self.choice(body, index) for index in range(number)]
        answer: dict[str, Any] = {"id": "x", "object": "chat.completion", "created": 0, "model": "fake"}
        answer["choices"] = choices
        if self.usage:
            answer["usage"] = self.count(body, number)
        return 200, answer

    def count(self, body: dict[str, Any], choices: int) -> dict[str, Any]:
        """The usage of a request."""
        prompt = 20 * (1 if self.prompt_once else choices)
        cached = 16 if self.cache and len(body["messages"][0]["content"]) > 500 else 0
        return {
            "prompt_tokens": prompt,
            "completion_tokens": 5,
            "total_tokens": prompt + 5,
            "prompt_tokens_details": {"cached_tokens": cached},
        }

    def choice(self, body: dict[str, Any], index: int) -> dict[str, Any]:
        """One choice."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text(body, index)}
        if body.get("tools"):
            message |= self.called(body)
        if "17 * 3" in body["messages"][-1]["content"]:
            thought = "Seventeen thrice."
            if self.reasoning == "inline":
                message["content"] = f"<think>{thought}</think>51"
            elif self.reasoning == "apart" or (self.reasoning == "first" and index == 0):
                message |= {"content": "51", "reasoning_content": thought}
        told = {"content": [{"token": "x", "logprob": -1.0, "bytes": None, "top_logprobs": []}]}
        logprobs = told if body.get("logprobs") and self.logprobs else None
        end = "length" if self.tools == "cut" and body.get("tools") else "stop"
        return {"index": index, "finish_reason": end, "message": message, "logprobs": logprobs}

    def text(self, body: dict[str, Any], index: int) -> str:
        """The text of a choice."""
        if body.get("seed") is not None and self.seeded:
            return f"seeded {body['seed']} {index}"
        return f"text {next(NUMBERS)}" if self.distinct else "text"

    def called(self, body: dict[str, Any]) -> dict[str, Any]:
        """The calls of a choice, as the parser leaves them."""
        choice = body.get("tool_choice") or "auto"
        calls = calls_for(body["messages"][-1]["content"])
        if choice == "none":
            return {} if self.obeys_none else {"tool_calls": wire(calls)}
        if choice != "auto":
            return {"tool_calls": wire(calls)} if self.required else {"content": "No."}
        if self.tools == "malformed":
            return {"content": '<tool_call>{"name": "get_weather", "arguments": {"city"</tool_call>'}
        if self.tools in ("raw", "cut"):
            text = "".join(
                f"<tool_call>{json.dumps({'name': n, 'arguments': a})}</tool_call>" for n, a in calls
            )
            return {"content": text}
        return {"content": None, "tool_calls": wire(calls)} if self.tools == "parsed" else {"content": "No."}


def calls_for(question: str) -> list[tuple[str, dict[str, Any]]]:
    """What a model that does as it is asked would call."""
    if "Rome?" in question:
        return [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]
    if "trip" in question:
        return [("book_trip", {"date": {"day": 3, "month": "May"}, "stops": ["Rome", "Pisa"]})]
    if "cities" in question:
        return [("list_cities", {})]
    return [("get_weather", {"city": "Paris"})]


def wire(calls: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Calls as the wire has them."""
    return [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for n, (name, arguments) in enumerate(calls)
    ]


def refused(words: str) -> tuple[int, Any]:
    """A 400 with the server's words."""
    return 400, {"error": {"message": words}}


@contextmanager
def serving(fake: Fake) -> Iterator[Fake]:
    """Serve until the block ends."""
    lock = threading.Lock()
    seeded = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send(*fake.get(self.path))

        def do_POST(self) -> None:
            nonlocal seeded
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            has_seed = body.get("seed") is not None
            with lock:
                seeded += has_seed
                fake.seeds_at_once = max(fake.seeds_at_once, seeded)
            try:
                self.send(*fake.post(self.path, body))
            finally:
                with lock:
                    seeded -= has_seed

        def send(self, status: int, body: Any) -> None:
            kind, data = "application/json", json.dumps(body).encode()
            if fake.status != 200:
                status, data = fake.status, b'{"error": {"message": "no"}}'
            if fake.html:
                kind, data = "text/html", b"<html><title>Sign in</title></html>"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    http = Listening(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    fake.url = f"http://127.0.0.1:{http.server_port}/v1"
    try:
        yield fake
    finally:
        http.shutdown()
        http.server_close()
