"""Endpoints that misbehave, over real HTTP: an error that is counted, never a score of zero."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from kate_eval.counters import COUNTERS_KEY
from kate_eval.solvers.kate import baseline, width
from kate_eval.tasks.bfcl import bfcl
from tests.listening import Listening

pytestmark = pytest.mark.usefixtures("no_preflight")

USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


@pytest.fixture
def no_preflight(monkeypatch: pytest.MonkeyPatch) -> None:
    """These endpoints fail in the middle of a run; what a preflight stops is in endpoints/probe."""
    monkeypatch.setenv("KATE_EVAL_PREFLIGHT", "false")


def completion(*messages: dict[str, Any]) -> bytes:
    """An OpenAI chat completion with these messages as choices."""
    choices = [
        {"index": n, "finish_reason": "stop", "message": {"role": "assistant", **message}}
        for n, message in enumerate(messages)
    ]
    body = {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": choices,
        "usage": USAGE,
    }
    return json.dumps(body).encode()


def call(name: str, arguments: str) -> dict[str, Any]:
    """An assistant message with one tool call, its arguments as raw text."""
    function = {"name": name, "arguments": arguments}
    return {"content": None, "tool_calls": [{"id": "c", "type": "function", "function": function}]}


@contextmanager
def server(
    status: int, body: bytes, content_type: str = "application/json", delay: float = 0
) -> Iterator[str]:
    """An HTTP server that gives every request the same answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            time.sleep(delay)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    http = Listening(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/v1"
    finally:
        http.shutdown()
        http.server_close()


def play(run: Any, url: str, solver: Any = None, **options: Any) -> Any:
    """Run one sample against the endpoint and return its log."""
    return run(
        bfcl(categories="multi_turn_base"),
        "openai-api/broken/model",
        solver or baseline(),
        sample_id="multi_turn_base_1",
        model_base_url=url,
        model_args={"api_key": "none"},
        **({"max_retries": 0, "attempt_timeout": 20} | options),
    )


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [
        (500, b"{}", "application/json"),
        (429, b'{"error": {"message": "slow down"}}', "application/json"),
        (404, b'{"error": {"message": "no such model"}}', "application/json"),
        (200, b"<html>Bad gateway</html>", "text/html"),
        (200, completion(), "application/json"),
        (200, completion({"content": "Done."})[:-40], "application/json"),
        (200, b"", "application/json"),
    ],
    ids=["500", "429", "404", "html", "empty choices", "truncated JSON", "empty body"],
)
def test_an_endpoint_that_answers_rubbish_is_an_error(
    run: Any, status: int, body: bytes, content_type: str
) -> None:
    with server(status, body, content_type) as url:
        log = play(run, url)
    assert_counted_as_error(log)


def test_an_endpoint_that_is_down_is_an_error(run: Any) -> None:
    assert_counted_as_error(play(run, "http://127.0.0.1:9/v1"))


def test_an_endpoint_that_is_too_slow_is_an_error(run: Any) -> None:
    with server(200, completion({"content": "Done."}), delay=3) as url:
        assert_counted_as_error(play(run, url, attempt_timeout=1))


def assert_counted_as_error(log: Any) -> None:
    [sample] = log.samples
    assert sample.error is not None and sample.error.message
    scores = {score.name: score for score in log.results.scores}
    assert scores["bfcl_verdict"].scored_samples == 0
    assert scores["errored"].metrics["mean"].value == 1.0


def test_fewer_choices_than_asked_are_topped_up(run: Any) -> None:
    with server(200, completion({"content": "Done."}, {"content": "Done."})) as url:
        [sample] = play(run, url, width(aggregate="majority")).samples
    assert sample.error is None
    assert sample.store[COUNTERS_KEY]["candidates"] == 4 * sample.store[COUNTERS_KEY]["steps"]


@pytest.mark.parametrize(
    "message",
    [
        call("__import__('os').system('touch hacked')", "{}"),
        call("ls", "{\"a\": true, \"x=1) or __import__('os').system('touch hacked') or ls(a\": 1}"),
        call("ls", '{"a": NaN}'),
        call("no_such_function", '{"path": "/etc"}'),
        call("echo", json.dumps({"content": "x" * 1_000_000, "file_name": "big.txt"})),
        call("ls", '{"a": ' + "[" * 1000 + "]" * 1000 + "}"),
        call("ls", '{"a": true'),
        {"content": "[" * 1000},
        {"content": "\x00\ud7ff" * 100},
    ],
    ids=[
        "hostile name",
        "hostile key",
        "NaN",
        "unknown",
        "1 MB",
        "1,000 levels",
        "bad JSON",
        "brackets",
        "control",
    ],
)
def test_what_a_model_writes_is_a_scored_failure_and_never_executed(
    run: Any, message: dict[str, Any], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with server(200, completion(message)) as url:
        [sample] = play(run, url).samples
    assert sample.error is None, sample.error.message
    assert sample.scores["bfcl_verdict"].value == "I"
    assert not (tmp_path / "hacked").exists()


def test_an_integer_of_over_4300_digits_is_an_error_of_its_sample_alone(run: Any) -> None:
    """Inspect's own parser raises here, before the answer reaches us: an error, though the model's doing."""
    with server(200, completion(call("ls", '{"a": ' + "9" * 5000 + "}"))) as url:
        log = play(run, url)
    assert log.status == "success" and "4300 digits" in log.samples[0].error.message
