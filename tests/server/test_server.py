"""A real server through Inspect: choices, tool calls, schemas, a whole eval, embeddings: `make test-vllm`.

The checkpoint writes nonsense; what is tested is that requests and answers fit together.
"""

import asyncio
import json
import urllib.request
from typing import Any

import pytest
from inspect_ai.model import (
    ChatMessage,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    ResponseSchema,
    get_model,
)
from inspect_ai.tool import ToolInfo, ToolParams
from inspect_ai.util import JSONSchema

from kate_eval.counters import COUNTERS_KEY
from kate_eval.solvers.kate import kate
from kate_eval.tasks.bfcl import bfcl

from .conftest import CONTEXT, Server

pytestmark = pytest.mark.server

PROVIDERS = ["openai-api/local", "vllm", "kate"]
SAMPLED = GenerateConfig(temperature=1, max_tokens=64, seed=0)


def model(server: Server, provider: str = "openai-api/local") -> Model:
    """The server's model, asked through one of Inspect's providers."""
    return get_model(
        f"{provider}/{server.model}", base_url=server.base_url, api_key="none", config=SAMPLED, memoize=False
    )


def ask(model: Model, messages: str | list[ChatMessage], **options: Any) -> ModelOutput:
    """One answer, or several."""
    tools = options.pop("tools", [])
    return asyncio.run(model.generate(messages, tools=tools, config=GenerateConfig(**options)))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_one_request_gives_several_choices(server: Server, provider: str) -> None:
    output = ask(model(server, provider), "Please move the file to the archive.", num_choices=4)
    assert len(output.choices) == 4
    assert len({choice.message.text for choice in output.choices}) > 1
    assert output.usage and output.usage.input_tokens > 0


@pytest.mark.parametrize("provider", PROVIDERS)
def test_tool_calls_are_parsed_and_their_results_taken_back(server: Server, provider: str) -> None:
    tool = ToolInfo(
        name="mkdir",
        description="Make a folder.",
        parameters=ToolParams(properties={"dir_name": JSONSchema(type="string")}, required=["dir_name"]),
    )
    asked: list[ChatMessage] = [ChatMessageUser(content="Make a folder with the name of my project.")]
    output = ask(model(server, provider), asked, tools=[tool], num_choices=16)
    message = next(choice.message for choice in output.choices if choice.message.tool_calls)
    [call, *_] = message.tool_calls or []
    assert call.function and isinstance(call.arguments, dict)
    results: list[ChatMessage] = [
        ChatMessageTool(content="{}", tool_call_id=c.id, function=c.function)
        for c in message.tool_calls or []
    ]
    assert ask(model(server, provider), [*asked, message, *results], tools=[tool]).choices


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("temperature", [0, 1])
def test_a_response_schema_is_kept(server: Server, provider: str, temperature: float) -> None:
    sure = JSONSchema(type="boolean")
    properties = {
        "verdict": JSONSchema(type="string", enum=["good", "bad"]),
        "votes": JSONSchema(type="object", properties={"critic": sure}, required=["critic"]),
    }
    schema = JSONSchema(type="object", properties=properties, required=list(properties))
    properties["votes"].additionalProperties = schema.additionalProperties = False
    output = ask(
        model(server, provider),
        "Judge the candidates.",
        temperature=temperature,
        response_schema=ResponseSchema(name="verdict", json_schema=schema),
    )
    answer = json.loads(output.completion)
    assert answer["verdict"] in ("good", "bad")
    assert answer == {"verdict": answer["verdict"], "votes": {"critic": answer["votes"]["critic"] is True}}


def test_kate_plays_samples(server: Server, run: Any) -> None:
    log = run(
        bfcl(categories="multi_turn_base"),
        f"openai-api/local/{server.model}",
        kate(),
        limit=2,
        model_base_url=server.base_url,
        model_args={"api_key": "none"},
        max_tokens=64,
        message_limit=60,
    )
    assert log.status == "success"
    assert [sample.error for sample in log.samples] == [None, None]
    assert {sample.scores["bfcl_verdict"].value for sample in log.samples} <= {"C", "I"}
    for sample in log.samples:
        counters = sample.store[COUNTERS_KEY]
        assert counters["candidates"] == 4 * counters["steps"] > 0
        wide = [e.output for e in sample.events if e.event == "model" and e.config.num_choices == 4]
        assert [len(output.choices) for output in wide] == [4] * counters["steps"]


def test_a_prompt_beyond_the_context_stops_for_its_length(server: Server) -> None:
    """Through the vllm provider alone: openai-api takes vLLM's words for an unknown error."""
    output = ask(model(server, "vllm"), "folder " * CONTEXT)
    assert output.stop_reason == "model_length"


def test_texts_become_vectors(embeddings_server: Server) -> None:
    texts = ["Move the file.", "Book a flight to Rome, and tell my travel agent about it.", "x"]
    request = urllib.request.Request(
        f"{embeddings_server.base_url}/embeddings",
        json.dumps({"model": embeddings_server.model, "input": texts}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        vectors = [item["embedding"] for item in json.load(answer)["data"]]
    assert len(vectors) == 3
    assert {len(vector) for vector in vectors} == {256}
    assert all(isinstance(value, float) for vector in vectors for value in vector)
    assert vectors[0] != vectors[1]
