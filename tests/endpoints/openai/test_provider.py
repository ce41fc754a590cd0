"""`kate/` against real HTTP servers, good and bad, through Inspect's own Model."""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import (
    CachePolicy,
    ChatMessage,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    get_model,
)
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

from kate_eval.endpoints.openai import attempts
from kate_eval.endpoints.openai.failures import Refused, Unavailable
from kate_eval.errors import EndpointError
from tests.conftest import now
from tests.endpoints.openai.server import Json, Reply, free_port, kate, said, serving

ONCE = GenerateConfig(max_retries=0)
HTML = b"<html><body>Bad gateway</body></html>"


def ask(model: Model, text: str = "hi", config: GenerateConfig = ONCE) -> ModelOutput:
    """One call, in an event loop of its own."""

    async def call() -> ModelOutput:
        try:
            return await model.generate([ChatMessageUser(content=text)], config=config)
        finally:
            await model.api.aclose()

    return asyncio.run(call())


def test_an_answer_with_its_usage() -> None:
    with serving(lambda request, number: said("hello", cached=4)) as server:
        output = ask(kate(server.url))
    assert output.completion == "hello" and output.response_id == "x" and output.model == "m"
    assert output.usage is not None
    assert (output.usage.input_tokens, output.usage.input_tokens_cache_read) == (6, 4)
    assert output.usage.total_tokens == 13


def test_keys_and_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda request, number: said("hello")) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "second")
        ask(kate(server.url, headers={"X-Team": "a"}))
        monkeypatch.setenv("KATE_API_KEY", "first")
        ask(kate(server.url), config=GenerateConfig(max_retries=0, extra_headers={"X-Run": "7"}))
        ask(kate(server.url, api_key="given"))
    assert [headers["Authorization"] for headers in server.headers] == [
        "Bearer second",
        "Bearer first",
        "Bearer given",
    ]
    assert server.headers[0]["X-Team"] == "a" and server.headers[1]["X-Run"] == "7"


def test_the_environment_names_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda request, number: said("hello")) as server:
        monkeypatch.setenv("KATE_BASE_URL", server.url)
        assert ask(get_model("kate/m", memoize=False)).completion == "hello"


def test_choices_arrive_in_one_request() -> None:
    with serving(lambda request, number: said(*"abcd"[: request.get("n", 1)])) as server:
        output = ask(kate(server.url), config=GenerateConfig(num_choices=4, max_retries=0))
    assert [choice.message.text for choice in output.choices] == list("abcd")
    assert len(server.requests) == 1 and output.metadata is None


def test_missing_choices_are_asked_for_one_by_one_and_all_usage_counts() -> None:
    config = GenerateConfig(num_choices=3, seed=7, max_retries=0)
    with serving(lambda request, number: said(f"{request['seed']}")) as server:
        model = kate(server.url)
        outputs = [ask(model, config=config) for _ in range(2)]
    for output in outputs:
        assert sorted(choice.message.text for choice in output.choices) == ["7", "8", "9"]
        assert output.usage is not None and output.usage.total_tokens == 3 * 13
        assert output.input_context_tokens == 10 and output.metadata == {"extra_requests": 2}
    # Once seen, the server is no longer asked for several.
    assert [request.get("n") for request in server.requests] == [3, None, None, None, None, None]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply({"error": {"message": "no such model"}}, 404), "has no model 'm'.*It has: m, other"),
        (Reply({"error": {"message": "who?"}}, 401), "refused the API key.*Set KATE_API_KEY"),
        (Reply({"error": {"message": "who?"}}, 403), "refused the API key"),
        (Reply(HTML, 200), "a web page, not JSON.*ending in /v1"),
        (Reply(HTML, 405), "refused the request"),
        (Reply({}, 307, {"Location": "http://b/v1"}), "redirects to http://b/v1"),
        (
            Reply({"message": '"auto" tool choice requires --enable-auto-tool-choice'}, 400),
            "Start vLLM with --enable-auto-tool-choice",
        ),
    ],
)
def test_what_no_retry_can_mend_is_told_at_once(reply: Reply, words: str) -> None:
    with serving(lambda request, number: reply) as server, pytest.raises(Refused, match=words):
        ask(kate(server.url), config=GenerateConfig(max_retries=5))
    assert len(server.requests) == 1


BROKEN: dict[str, Reply] = {
    "500": Reply({"error": {"message": "oops"}}, 500),
    "proxy's HTML": Reply(HTML, 502),
    "overloaded": Reply({}, 503),
    "425": Reply({}, 425),
    "truncated JSON": Reply(said("hello").bytes[:-30]),
    "half-closed": Reply(said("hello").bytes, cut=20),
    "hung up": Reply({}, hang_up=True),
    "empty body": Reply(b""),
    "no choices": Reply({"choices": []}),
    "an error after all": Reply({"error": {"message": "engine died", "code": 502}}),
    "another form": Reply({"choices": [1]}),
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN)
def test_what_may_pass_is_tried_again(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_S", 0.05)

    def answer(request: Json, number: int) -> Reply:
        return reply if number < 3 else said("hello")

    with serving(answer) as server:
        assert ask(kate(server.url), config=GenerateConfig(max_retries=2)).completion == "hello"
    assert len(server.requests) == 3


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN)
def test_what_does_not_pass_is_an_error_that_says_why(reply: Reply) -> None:
    with serving(lambda request, number: reply) as server, pytest.raises(Unavailable, match=server.url):
        ask(kate(server.url))


def test_a_server_that_asks_to_wait_is_waited_for() -> None:
    def answer(request: Json, number: int) -> Reply:
        return Reply({}, 429, {"Retry-After": "2"}) if number == 1 else said("hello")

    with serving(answer) as server:
        began = time.monotonic()
        assert ask(kate(server.url), config=GenerateConfig(max_retries=1)).completion == "hello"
        assert time.monotonic() - began >= 2


def test_each_call_has_attempts_of_its_own() -> None:
    """Also where the calls of a conversation bring one growing list, as Inspect's `generate()` does."""

    async def play(model: Model) -> None:
        messages: list[ChatMessage] = [ChatMessageUser(content="hi")]
        for _ in range(3):
            await model.generate(messages, config=GenerateConfig(max_retries=1))
        await model.api.aclose()

    def answer(request: Json, number: int) -> Reply:
        return Reply({}, 500) if number % 2 else said("hello")

    with serving(answer) as server:
        asyncio.run(play(kate(server.url)))
    assert len(server.requests) == 6


def test_without_limits_patience_ends_the_attempts() -> None:
    with serving(lambda request, number: Reply({}, 500)) as server:
        with pytest.raises(Unavailable, match="answered 500"):
            ask(kate(server.url, patience=0.1), config=GenerateConfig())
        assert len(server.requests) == 2


def test_an_outgrown_context_is_an_output() -> None:
    words = "This model's maximum context length is 10 tokens. However, your request has 12 input tokens."
    with serving(lambda request, number: Reply({"error": {"message": words}}, 400)) as server:
        output = ask(kate(server.url))
    assert output.stop_reason == "model_length" and output.error == words


def test_a_request_goes_to_another_replica_at_once() -> None:
    def play(first: str, second: str) -> None:
        model = kate(first, second)
        outputs = [ask(model, f"text {n}") for n in range(6)]
        assert {output.completion for output in outputs} == {"hello"}

    with serving(lambda request, number: said("hello")) as good:
        play(f"http://127.0.0.1:{free_port()}/v1", good.url)
        with serving(lambda request, number: Reply({}, 503)) as bad:
            play(bad.url, good.url)
        assert len(bad.requests) == 3  # then it counts as down


def test_all_replicas_dead_names_them() -> None:
    urls = [f"http://127.0.0.1:{free_port()}/v1" for _ in range(2)]
    with pytest.raises(Unavailable, match="None of the 2 replicas answers") as caught:
        ask(kate(*urls))
    assert all(url in str(caught.value) for url in urls)


def test_a_conversation_stays_with_its_replica() -> None:
    with (
        serving(lambda request, number: said("a")) as first,
        serving(lambda request, number: said("b")) as second,
    ):
        model = kate(first.url, second.url)
        answers = Counter((n % 4, ask(model, f"text {n % 4}").completion) for n in range(16))
    assert sorted(answers.values()) == [4, 4, 4, 4]
    assert len(first.requests) == len(second.requests) == 8


def test_a_replica_that_hangs_is_left_at_the_attempt_timeout() -> None:
    def slow(request: Json, number: int) -> Reply:
        time.sleep(4)
        return said("late")

    with serving(slow) as hanging, serving(lambda request, number: said("hello")) as good:
        model = kate(hanging.url, good.url)
        output = ask(model, config=GenerateConfig(max_retries=1, attempt_timeout=1))
        assert output.completion == "hello"
        assert (len(hanging.requests), len(good.requests)) == (1, 1)


def test_a_request_that_takes_too_long_says_so() -> None:
    def slow(request: Json, number: int) -> Reply:
        time.sleep(2)
        return said("late")

    with serving(slow) as server, pytest.raises(Unavailable, match=r"no answer within 0\.2 s"):
        ask(kate(server.url, request_timeout=0.2))


def test_a_cancelled_request_closes_its_connection() -> None:
    async def play() -> bytes:
        seen: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            arrived.set()
            await reader.read()  # the body, and then the end that a server aborts its work at
            seen.set_result(b"closed")
            writer.close()

        arrived = asyncio.Event()
        async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            model = kate(f"http://127.0.0.1:{port}/v1")
            task = asyncio.create_task(model.generate("hi", config=ONCE))
            await arrived.wait()
            task.cancel()
            found = await asyncio.wait_for(seen, 5)
            await model.api.aclose()
            return found

    assert asyncio.run(play()) == b"closed"


def test_tls_that_cannot_be_trusted_names_the_host_and_the_remedy() -> None:
    with serving(lambda request, number: said("hello")) as server:
        url = server.url.replace("http://", "https://")
        with pytest.raises(Refused, match=r"No trusted TLS connection to 127\.0\.0\.1:.*-M verify="):
            ask(kate(url))


def test_the_cache_answers_the_second_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path))
    config = GenerateConfig(max_retries=0, cache=CachePolicy(expiry="1D"))
    with serving(lambda request, number: said(f"answer {number}")) as server:
        model = kate(server.url)
        assert {ask(model, config=config).completion for _ in range(2)} == {"answer 1"}


def test_without_asyncio_it_says_so() -> None:
    """As under trio: no asyncio loop runs."""
    call = kate("http://127.0.0.1:9/v1").api.generate([ChatMessageUser(content="hi")], [], "auto", ONCE)
    with pytest.raises(EndpointError, match="kate/ needs asyncio: unset INSPECT_ASYNC_BACKEND"):
        now(call)


def evaluate(model: Model, samples: int, folder: Path, **options: Any) -> EvalLog:
    """A plain Inspect task of so many one-request samples, whose right answer is hello."""
    dataset = MemoryDataset([Sample(id=n + 1, input=f"text {n}", target="hello") for n in range(samples)])
    [log] = eval(
        Task(dataset=dataset, solver=generate(), scorer=includes()),
        model=model,
        log_dir=str(folder),
        display="log",
        max_connections=64,
        max_samples=64,
        log_realtime=False,
        **options,
    )
    return log


def sometimes(bad: Reply, every: int) -> Callable[[Json, int], Reply]:
    """A server that fails one request in so many."""
    return lambda request, number: bad if number % every == 7 else said("hello")


@pytest.mark.parametrize("samples", [200, pytest.param(10_000, marks=pytest.mark.slow)], ids=["200", "10000"])
def test_some_random_500s_lose_no_sample_and_score_none_twice(samples: int, tmp_path: Path) -> None:
    every = 100 if samples > 1000 else 10
    with serving(sometimes(Reply({}, 500), every)) as server:
        log = evaluate(kate(server.url), samples, tmp_path, max_retries=5)
    failed = len(server.requests) - samples
    assert failed == sum(number % every == 7 for number in range(1, len(server.requests) + 1)) > 0
    assert log.status == "success" and log.samples is not None and log.results is not None
    assert Counter(sample.id for sample in log.samples) == Counter(range(1, samples + 1))
    assert all(sample.error is None and sample.scores for sample in log.samples)
    assert log.results.scores[0].scored_samples == samples
    assert log.stats.model_usage["kate/m"].total_tokens == 13 * samples


def test_a_replica_that_dies_in_mid_run_loses_no_sample(tmp_path: Path) -> None:
    def dying(request: Json, number: int) -> Reply:
        return said("hello") if number <= 20 else Reply({}, hang_up=True)

    with serving(dying) as first, serving(lambda request, number: said("hello")) as second:
        log = evaluate(kate(first.url, second.url), 100, tmp_path, max_retries=0)
    assert log.samples is not None and len(log.samples) == 100
    assert all(sample.error is None for sample in log.samples)
    assert len(second.requests) >= 80


def test_the_command_line_and_the_raw_calls_in_the_log(tmp_path: Path) -> None:
    task = tmp_path / "task.py"
    task.write_text(
        "from inspect_ai import Task, task\nfrom inspect_ai.dataset import Sample\n"
        "@task\ndef one():\n    return Task(dataset=[Sample(input='hi')])\n"
    )
    command = [str(Path(sys.executable).with_name("inspect")), "eval", "task.py", "--model", "kate/org/m"]
    with serving(lambda request, number: said("hello")) as server:
        flags = ["--model-base-url", f"{server.url},{server.url}/", "-M", "request_timeout=20"]
        done = subprocess.run(
            [*command, *flags, "--log-model-api", "--display", "none", "--log-format", "json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"INSPECT_LOG_DIR": str(tmp_path / "logs")},
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Unclosed" not in done.stderr
    assert server.requests[0]["model"] == "org/m"
    [log] = (tmp_path / "logs").glob("*.json")
    text = log.read_text(encoding="utf-8")
    assert '"finish_reason": "stop"' in text and server.url in text


def test_errors_are_of_the_endpoint() -> None:
    assert issubclass(Refused, EndpointError) and issubclass(Unavailable, EndpointError)
