"""A server whose tool parser is off, over real HTTP: its answers are played, or not, and counted."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.counters import COUNTERS_KEY
from kate_eval.recovery import WRITTEN
from kate_eval.solvers.kate import baseline, width
from kate_eval.tasks.bfcl import bfcl
from tests.listening import Listening
from tests.recovery.writing import hermes
from tests.test_endpoint_failures import call, completion, server

ENTRY = "multi_turn_base_1"


@pytest.fixture
def url() -> Iterator[str]:
    """Plays the entry's gold as raw text: all calls of a turn at once, then a reply."""
    turns = multi_turn_gold(load_entry(ENTRY))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            messages = request["messages"]
            turn = sum(m["role"] == "user" for m in messages) - 1
            asked = messages[-1]["role"] == "user"
            text = f"<think>\nI must act.\n</think>\n\nOn it.\n{hermes(turns[turn])}" if asked else "Done."
            body = completion(*[{"content": text}] * (request.get("n") or 1))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    http = Listening(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}/v1"
    http.shutdown()
    http.server_close()


def play(run: Any, url: str, solver: Any) -> Any:
    """The one sample of a run against the server."""
    log = run(
        bfcl(categories="multi_turn_base", split="all"),
        "openai-api/raw/model",
        solver,
        sample_id=ENTRY,
        model_base_url=url,
        model_args={"api_key": "none"},
        max_retries=0,
    )
    [sample] = log.samples
    assert sample.error is None
    return sample


def test_raw_calls_are_played_and_counted(run: Any, url: str) -> None:
    sample = play(run, url, baseline())
    counters = sample.store[COUNTERS_KEY]
    assert sample.scores["bfcl_verdict"].value == "C"
    assert counters["recovered"] == counters["turns"] > 1
    assert sample.scores["run_counters"].value["recovered"] == counters["recovered"]
    first = next(message for message in sample.messages if message.role == "assistant")
    assert "<tool_call>" in first.metadata[WRITTEN] and "<tool_call>" not in first.text
    assert first.tool_calls and first.text == "On it."
    ids = [
        c.id for message in sample.messages if message.role == "assistant" for c in message.tool_calls or []
    ]
    assert len(ids) == len(set(ids))


def test_the_official_behaviour_is_a_wrong_answer_and_no_error(run: Any, url: str) -> None:
    sample = play(run, url, baseline(recover=False))
    assert sample.scores["bfcl_verdict"].value == "I"
    assert sample.store[COUNTERS_KEY]["recovered"] == 0


def test_every_candidate_is_read(run: Any, url: str) -> None:
    sample = play(run, url, width(width=3, aggregate="majority", one_call=False))
    assert sample.scores["bfcl_verdict"].value == "C"
    assert sample.store[COUNTERS_KEY]["recovered"] == 3 * sample.store[COUNTERS_KEY]["turns"]


@pytest.mark.parametrize(("arguments", "recovered"), [("{'a': True}", 1), ('{"a": tru', 0), ('{"a": 1,}', 1)])
def test_arguments_that_inspect_could_not_read(run: Any, arguments: str, recovered: int) -> None:
    """Inspect keeps them in its message alone; should that change, this fails."""
    with server(200, completion(call("ls", arguments))) as url:
        sample = play(run, url, baseline())
    counters = sample.store[COUNTERS_KEY]
    assert bool(counters["recovered"]) == bool(recovered) != bool(counters["parse_failures"])


@pytest.mark.parametrize("provider", ["openai-api/raw/model", "kate/model"])
def test_half_a_character_in_a_call_is_a_scored_failure_and_ends_no_eval(run: Any, provider: str) -> None:
    written = '<tool_call>{"name": "touch", "arguments": {"file_name": "\\ud800"}}</tool_call>'
    with server(200, completion({"content": written})) as url:
        log = run(
            bfcl(categories="multi_turn_base", split="all"),
            provider,
            baseline(),
            sample_id=ENTRY,
            model_base_url=url,
            model_args={} if provider.startswith("kate") else {"api_key": "none"},
        )
    assert log.status == "success" and log.samples[0].scores["bfcl_verdict"].value == "I"


def test_half_a_character_in_a_parsed_call_is_a_failed_call_through_kate(run: Any) -> None:
    with server(200, completion(call("touch", '{"file_name": "\\ud800"}'))) as url:
        task = bfcl(categories="multi_turn_base", split="all")
        log = run(task, "kate/model", baseline(), sample_id=ENTRY, model_base_url=url)
    assert log.status == "success" and log.samples[0].scores["bfcl_verdict"].value == "I"
