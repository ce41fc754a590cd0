"""`kate/` against real vLLM: what mock servers can only claim."""

import asyncio

import pytest
from inspect_ai.model import (
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    get_model,
)
from inspect_ai.tool import ToolFunction, ToolInfo, ToolParam, ToolParams

from kate_eval.endpoints.openai.failures import Refused
from tests.server.conftest import CONTEXT, Server

pytestmark = pytest.mark.server
LIST = ToolInfo(
    name="ls",
    description="List the directory.",
    parameters=ToolParams(properties={"a": ToolParam(type="boolean")}, required=["a"]),
)


def ask(
    server: Server, text: str, tools: bool = False, name: str | None = None, **config: int
) -> ModelOutput:
    """One call."""
    model: Model = get_model(f"kate/{name or server.model}", base_url=server.base_url, memoize=False)

    async def call() -> ModelOutput:
        try:
            return await model.generate(
                [ChatMessageUser(content=text)],
                tools=[LIST] if tools else [],
                tool_choice=ToolFunction("ls") if tools else None,
                config=GenerateConfig(max_retries=0, **({"max_tokens": 16} | config)),  # type: ignore[arg-type]
            )
        finally:
            await model.api.aclose()

    return asyncio.run(call())


def test_choices_tool_calls_and_usage(server: Server) -> None:
    output = ask(server, "List the files.", tools=True, num_choices=4, temperature=1, max_tokens=64)
    assert len(output.choices) == 4 and output.metadata is None
    calls = [call for choice in output.choices for call in choice.message.tool_calls or ()]
    assert calls and {call.function for call in calls} == {"ls"}
    assert output.usage is not None and output.usage.output_tokens > 0


def test_logprobs_and_seeds(server: Server) -> None:
    output = ask(server, "Say something.", logprobs=True, top_logprobs=2, seed=5, temperature=1)
    assert output.choices[0].logprobs is not None and len(output.choices[0].logprobs.content) > 0
    assert output.completion == ask(server, "Say something.", seed=5, temperature=1).completion


def test_a_wrong_name_lists_what_the_server_has(server: Server) -> None:
    with pytest.raises(Refused, match=f"has no model 'nobody'.*It has: {server.model}"):
        ask(server, "hi", name="nobody")


def test_an_outgrown_context_says_the_sizes(server: Server) -> None:
    output = ask(server, "word " * CONTEXT)
    assert output.stop_reason == "model_length" and str(CONTEXT) in str(output.error)


def test_more_tokens_than_the_context_is_an_error(server: Server) -> None:
    with pytest.raises(Refused, match=str(CONTEXT)):
        ask(server, "hi", max_tokens=2 * CONTEXT)


def test_several_greedy_choices_say_the_remedy(server: Server) -> None:
    with pytest.raises(Refused, match="need a temperature above 0"):
        ask(server, "hi", num_choices=2, temperature=0)
