"""Adaptive width on a real server: what it asks for, and that cancelling stops it. Run: `make test-vllm`."""

import asyncio
import time
import urllib.request
from functools import partial
from typing import Any

import pytest
from inspect_ai.model import GenerateConfig, ModelOutput

from kate_eval.counters import COUNTERS_KEY
from kate_eval.solvers.context import race
from kate_eval.solvers.kate import width
from kate_eval.tasks.bfcl import bfcl

from .conftest import Server
from .test_server import model

pytestmark = pytest.mark.server

SHORT, LONG = 8, 30_000
"""Tokens of the request that is waited for, and of each that is cancelled then."""


def test_adaptive_width_asks_for_more_where_candidates_differ(server: Server, run: Any) -> None:
    log = run(
        bfcl(categories="multi_turn_base"),
        f"openai-api/local/{server.model}",
        width(width="adaptive:4..16", aggregate="majority"),
        limit=2,
        model_base_url=server.base_url,
        model_args={"api_key": "none"},
        max_tokens=64,
        message_limit=60,
    )
    assert [sample.error for sample in log.samples] == [None, None]
    for sample in log.samples:
        counters = sample.store[COUNTERS_KEY]
        assert 4 * counters["steps"] <= counters["candidates"] <= 16 * counters["steps"]
        asked = [e.config.num_choices for e in sample.events if e.event == "model"]
        assert asked[0] == 4 and len(asked) == counters["requests"]
        assert len(counters["step_ms"]) == counters["steps"] and counters["model_ms"] > 0
    assert any(s.store[COUNTERS_KEY]["candidates"] > 4 * s.store[COUNTERS_KEY]["steps"] for s in log.samples)


def test_a_cancelled_request_is_aborted_by_the_server(server: Server) -> None:
    asked = model(server)

    async def one(tokens: int) -> ModelOutput:
        config = GenerateConfig(max_tokens=tokens, extra_body={"ignore_eos": True})
        return await asked.generate("Please move the file.", config=config)

    before = metric(server, "vllm:generation_tokens_total")
    long = [partial(one, LONG)] * 4
    arrived = asyncio.run(race([*long, partial(one, SHORT)], lambda found: bool(found)))
    assert [output.usage.output_tokens for output in arrived if output.usage] == [SHORT]
    deadline = time.monotonic() + 60
    while metric(server, "vllm:num_requests_running") and time.monotonic() < deadline:
        time.sleep(0.1)
    made = metric(server, "vllm:generation_tokens_total")
    time.sleep(1)
    assert metric(server, "vllm:num_requests_running") == 0
    assert metric(server, "vllm:generation_tokens_total") == made
    # They run side by side, at one pace: how far they came depends on the load, but it is not to their end.
    assert SHORT < made - before < len(long) * LONG


def metric(server: Server, name: str) -> float:
    """A number that the server publishes."""
    url = server.base_url.removesuffix("/v1") + "/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name}{{"))
