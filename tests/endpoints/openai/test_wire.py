"""Messages, tools and settings to JSON and back."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    ContentDocument,
    ContentImage,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ResponseSchema,
)
from inspect_ai.tool import ToolCall, ToolCallError, ToolChoice, ToolFunction, ToolInfo, ToolParam, ToolParams
from inspect_ai.util import JSONSchema

from kate_eval.endpoints.openai.failures import as_output, retry_after
from kate_eval.endpoints.openai.messages import encode_messages
from kate_eval.endpoints.openai.provider import KateAPI, base_urls
from kate_eval.endpoints.openai.reply import decode_choices, decode_usage, parse_arguments
from kate_eval.endpoints.openai.request import Encoder
from kate_eval.errors import ConfigurationError, EndpointError

PIXEL = "data:image/png;base64,iVBORw0KGgo="
ADD = ToolInfo(
    name="add",
    description="Adds.",
    parameters=ToolParams(properties={"a": ToolParam(type="integer")}, required=["a"]),
)


def sent(
    config: GenerateConfig = GenerateConfig(),  # noqa: B008
    tools: tuple[ToolInfo, ...] = (),
    choice: ToolChoice = "auto",
    choices: int = 1,
    variant: int = 0,
) -> dict[str, Any]:
    """The request as the server reads it."""
    messages: list[ChatMessage] = [ChatMessageUser(content="hi")]
    body = Encoder("m").encode(messages, tools, choice, config).body(choices, variant)
    found: dict[str, Any] = json.loads(body)
    return found


def test_a_plain_request_says_only_what_is_set() -> None:
    assert sent() == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_every_setting_that_the_api_knows_is_sent() -> None:
    config = GenerateConfig(
        temperature=0.5,
        top_p=0.9,
        top_k=20,
        max_tokens=7,
        stop_seqs=["x"],
        seed=3,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        logit_bias={5: 1.0},
        logprobs=True,
        top_logprobs=2,
        reasoning_effort="low",
        parallel_tool_calls=False,
        response_schema=ResponseSchema(name="r", json_schema=JSONSchema(type="object"), strict=True),
        extra_body={"min_p": 0.05, "top_k": 5},
    )
    found = sent(config, (ADD,), "any", choices=4, variant=2)
    del found["messages"], found["tools"]
    assert found == {
        "model": "m",
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 5,  # extra_body has the last word
        "min_p": 0.05,
        "max_tokens": 7,
        "stop": ["x"],
        "seed": 5,
        "n": 4,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "logit_bias": {"5": 1.0},
        "logprobs": True,
        "top_logprobs": 2,
        "reasoning_effort": "low",
        "parallel_tool_calls": False,
        "tool_choice": "required",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "r", "schema": {"type": "object"}, "strict": True},
        },
    }


def test_what_is_set_but_cannot_be_sent_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        sent(GenerateConfig(reasoning_summary="concise"))
    assert "does not send reasoning_summary='concise'" in caplog.text


def test_tools_are_sent_as_functions_and_no_choice_without_tools() -> None:
    found = sent(tools=(ADD,), choice=ToolFunction("add"))
    [tool] = found["tools"]
    assert tool["function"]["name"] == "add"
    assert tool["function"]["parameters"]["properties"] == {"a": {"type": "integer"}}
    assert found["tool_choice"] == {"type": "function", "function": {"name": "add"}}
    assert "tool_choice" not in sent()


def test_a_tool_of_the_same_name_with_other_parameters_is_another_tool() -> None:
    encoder = Encoder("m")
    for kind in ("integer", "string"):
        tool = ADD.model_copy(update={"parameters": ToolParams(properties={"a": ToolParam(type=kind)})})
        request = json.loads(encoder.encode([], [tool], "auto", GenerateConfig()).body(1))
        assert request["tools"][0]["function"]["parameters"]["properties"]["a"]["type"] == kind


def test_every_role_is_sent() -> None:
    call = ToolCall(id="c", function="add", arguments={"a": 1})
    assert encode_messages(
        [
            ChatMessageSystem(content="s"),
            ChatMessageUser(content=[ContentText(text="look"), ContentImage(image=PIXEL)]),
            ChatMessageAssistant(content="", tool_calls=[call]),
            ChatMessageTool(content="2", tool_call_id="c"),
            ChatMessageTool(content="", tool_call_id="d", error=ToolCallError("timeout", "slow")),
        ]
    ) == [
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": PIXEL, "detail": "auto"}},
            ],
        },
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
            ],
        },
        {"role": "tool", "content": "2", "tool_call_id": "c"},
        {"role": "tool", "content": "Error: slow", "tool_call_id": "d"},
    ]


def test_content_without_a_place_in_the_api_is_an_error() -> None:
    with pytest.raises(EndpointError, match="can't send content of type 'document'"):
        encode_messages([ChatMessageUser(content=[ContentDocument(document="data:,x", mime_type="text/x")])])


@pytest.mark.parametrize(
    "message",
    [
        {"content": "so", "reasoning_content": "hm\n"},
        {"content": "so", "reasoning": "hm"},
        {"content": "<think>\nhm\n</think>\n\nso"},
        {"content": "no tags </think> here"},
    ],
)
def test_reasoning_goes_back_as_it_came(message: dict[str, str]) -> None:
    [choice] = decode_choices("u", {"choices": [{"message": message, "finish_reason": "stop"}]}, "m")
    assert encode_messages([choice.message]) == [{"role": "assistant", **message}]
    if "no tags" not in message["content"]:
        [reasoning, text] = choice.message.content_list
        assert isinstance(reasoning, ContentReasoning) and reasoning.reasoning.strip() == "hm"
        assert isinstance(text, ContentText) and text.text.strip() == "so"


def test_choices_keep_their_own_calls_reasons_and_logprobs() -> None:
    function = {"name": "add", "arguments": '{"a": 1}'}
    data = {
        "choices": [
            {
                "index": 1,
                "finish_reason": "tool_calls",
                "message": {"content": None, "tool_calls": [{"id": "c", "function": function}]},
            },
            {
                "index": 0,
                "finish_reason": "length",
                "message": {"content": "a"},
                "logprobs": {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": []}]},
            },
        ]
    }
    first, second = decode_choices("u", data, "m")
    assert (first.stop_reason, first.message.text) == ("max_tokens", "a")
    assert first.logprobs is not None and first.logprobs.content[0].logprob == -0.5
    assert second.stop_reason == "tool_calls"
    assert second.message.tool_calls == [ToolCall(id="c", function="add", arguments={"a": 1})]


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists), max_size=4))
def test_arguments_come_back_as_they_were(arguments: dict[str, Any]) -> None:
    assert parse_arguments(json.dumps(arguments)) == (arguments, None)


@given(st.text() | st.none() | st.lists(st.just("[")).map("".join))
def test_any_other_arguments_are_a_parse_error_with_their_text(text: str | None) -> None:
    arguments, error = parse_arguments(text)
    assert isinstance(arguments, dict)
    assert error is None or (text or "").strip()[:100] in error


@pytest.mark.parametrize(
    "text", ['{"a": ' + "[" * 5000 + "]" * 5000 + "}", '{"a": ' + "9" * 5000 + "}", "[1]"]
)
def test_arguments_that_no_log_could_hold_are_a_parse_error(text: str) -> None:
    arguments, error = parse_arguments(text)
    assert arguments == {} and error is not None and text[:50] in error


def test_half_characters_are_replaced() -> None:
    data = {"choices": [{"message": {"content": "a\ud83d"}, "finish_reason": "stop"}]}
    assert decode_choices("u", data, "m")[0].message.text == "a\ufffd"


def test_cached_and_reasoning_tokens_are_told_apart() -> None:
    usage = decode_usage(
        {
            "prompt_tokens": 10,
            "completion_tokens": 4,
            "total_tokens": 14,
            "prompt_tokens_details": {"cached_tokens": 8},
            "completion_tokens_details": {"reasoning_tokens": 3},
        }
    )
    assert usage is not None
    assert (usage.input_tokens, usage.input_tokens_cache_read, usage.output_tokens) == (2, 8, 4)
    assert (usage.reasoning_tokens, usage.total_tokens) == (3, 14)
    assert decode_usage(None) is None


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 2048 tokens. However, you requested 2100 tokens (2000 in the "
        "messages, 100 in the completion). Please reduce the length of the messages or completion.",
        "This model's maximum context length is 2048 tokens. However, your request has 3000 input tokens.",
        "'max_tokens' or 'max_completion_tokens' is too large: 100. This model's maximum context length is "
        "2048 tokens and your request has 2000 input tokens (100 > 2048 - 2000).",
        "The decoder prompt (length 3000) is longer than the maximum model length of 2048.",
        "Input length (3000) exceeds model's maximum context length (2048).",
        "The input (3000 tokens) is longer than the model's context length (2048 tokens).",
        "the request exceeds the available context size, try increasing it",
    ],
)
def test_an_outgrown_context_is_an_output_with_the_sizes(message: str) -> None:
    for body in ({"error": {"message": message}}, {"object": "error", "message": message}):
        output = as_output("m", 400, json.dumps(body).encode(), 100)
        assert output is not None and output.stop_reason == "model_length" and output.error == message


def test_more_tokens_asked_for_than_the_context_holds_is_no_matter_of_the_conversation() -> None:
    body = b'{"error": {"message": "too large: 4096. This model\'s maximum context length is 2048"}}'
    assert as_output("m", 400, body, 4096) is None


@pytest.mark.parametrize(
    ("value", "seconds"), [("2", 2), ("0.5", 0.5), ("-3", 0), ("9999", 300), ("nan", None), ("soon", None)]
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}) == seconds


def test_retry_after_as_a_date() -> None:
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0


def test_base_urls() -> None:
    assert base_urls(" http://a/v1/, http://b/v1,http://a/v1 ") == ["http://a/v1", "http://b/v1"]
    for wrong, words in {"": "--model-base-url", "a:8000/v1": "must begin with http"}.items():
        with pytest.raises(ConfigurationError, match=words):
            base_urls(wrong)


def test_an_unknown_argument_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigurationError, match="choose from: headers, patience, replicas"):
        KateAPI("m", "http://a/v1", replica="http://b/v1")
