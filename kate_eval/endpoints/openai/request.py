"""A chat completions request: what Inspect asks for, as bytes.

Tool schemas are serialised once and kept; the rest of a request costs less to write than to remember.
"""

import json
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inspect_ai.model import ChatMessage, GenerateConfig, ModelCall
from inspect_ai.tool import ToolChoice, ToolFunction, ToolInfo, ToolParams
from inspect_ai.util import warn_once

from kate_eval.endpoints.openai.messages import Json, encode_messages, without_media

logger = logging.getLogger(__name__)

PARAMETERS = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop_seqs": "stop",
    "seed": "seed",
    "num_choices": "n",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "logit_bias": "logit_bias",
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
    "prompt_logprobs": "prompt_logprobs",
    "best_of": "best_of",
    "reasoning_effort": "reasoning_effort",
    "verbosity": "verbosity",
}
"""Field of Inspect's GenerateConfig -> field of the request."""
NOT_SENT = (
    "batch",
    "effort",
    "fallback_models",
    "modalities",
    "reasoning_mode",
    "reasoning_summary",
    "reasoning_tokens",
    "stream_idle_timeout",
)
"""Fields that the API has no place for. The others are Inspect's own business."""
REMEMBERED = 4096
"""Tools whose JSON is kept."""


@dataclass(frozen=True, slots=True)
class Schema:
    """A tool's JSON: the text that is sent, and the same as data for a log.

    Attributes:
        parameters: kept with it: while they live, no others have their id.
        text: JSON.
        data: what the text says; shared, not to be changed.
    """

    parameters: ToolParams
    text: str
    data: Json


class ToolSchemas:
    """Tools as JSON, each written once.

    Inspect hands over copies of a task's tools with every request. Copies that share their parameters are
    recognised by that; parameters are taken to stay as they are.
    """

    def __init__(self) -> None:
        self._schemas: OrderedDict[tuple[str, str, int], Schema] = OrderedDict()

    def of(self, tools: Sequence[ToolInfo]) -> list[Schema]:
        """The schemas of the tools."""
        return [self._schema(tool) for tool in tools]

    def _schema(self, tool: ToolInfo) -> Schema:
        key = (tool.name, tool.description, id(tool.parameters))
        found = self._schemas.get(key)
        if found is None:
            found = self._schemas[key] = _schema(tool)
            if len(self._schemas) > REMEMBERED:
                self._schemas.popitem(last=False)
        return found


def _schema(tool: ToolInfo) -> Schema:
    parameters = tool.parameters.model_dump(mode="json", exclude_none=True)
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    data = {"type": "function", "function": function}
    return Schema(tool.parameters, json.dumps(data), data)


@dataclass(frozen=True)
class Request:
    """One request, before it is known how many choices are asked for at once."""

    parameters: Json
    messages: list[Json]
    tools: list[Schema]

    def body(self, choices: int, variant: int = 0) -> bytes:
        """The bytes to send.

        Args:
            choices: how many to ask for.
            variant: number among otherwise equal requests: a fixed seed is moved on by it.
        """
        parts = self._varied(choices, variant)
        tools = f',"tools":[{",".join([tool.text for tool in self.tools])}]' if self.tools else ""
        return f'{json.dumps(parts)[:-1]},"messages":{json.dumps(self.messages)}{tools}}}'.encode()

    def logged(self, choices: int, response: Json) -> ModelCall:
        """The request with its response, for Inspect's log.

        Not validated again: all of it is JSON data already, and Inspect drops it unless it is to be logged.
        """
        request = {**self._varied(choices, 0), "messages": without_media(self.messages)}
        if self.tools:
            request["tools"] = [tool.data for tool in self.tools]
        return ModelCall.model_construct(request=request, response=response)

    def _varied(self, choices: int, variant: int) -> Json:
        parts = {**self.parameters}
        if choices > 1:
            parts["n"] = choices
        else:
            parts.pop("n", None)
        if variant and parts.get("seed") is not None:
            parts["seed"] += variant
        return parts


class Encoder:
    """Makes requests for one model."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._schemas = ToolSchemas()

    def encode(
        self,
        messages: Sequence[ChatMessage],
        tools: Sequence[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> Request:
        """Everything that is to be sent. What is set but can't be sent is warned of once.

        Raises:
            EndpointError: a message holds content that the API can't carry.
        """
        parameters = self._parameters(config)
        if tools:
            parameters["tool_choice"] = _choice(tool_choice)
            if config.parallel_tool_calls is not None:
                parameters["parallel_tool_calls"] = config.parallel_tool_calls
        parameters.update(config.extra_body or {})
        return Request(parameters, encode_messages(messages), self._schemas.of(tools))

    def _parameters(self, config: GenerateConfig) -> Json:
        parameters: Json = {"model": self._model}
        values = config.__dict__
        for ours, theirs in PARAMETERS.items():
            if values[ours] is not None:
                parameters[theirs] = values[ours]
        if config.response_schema is not None:
            parameters["response_format"] = _response_format(config)
        for name in NOT_SENT:
            if values[name]:
                warn_once(
                    logger,
                    f"kate/ does not send {name}={values[name]!r}: the chat completions API has no such "
                    "field. If the server has one, pass it in extra_body.",
                )
        return parameters


def _choice(tool_choice: ToolChoice) -> str | Json:
    if isinstance(tool_choice, ToolFunction):
        return {"type": "function", "function": {"name": tool_choice.name}}
    return "required" if tool_choice == "any" else tool_choice


def _response_format(config: GenerateConfig) -> Json:
    schema = config.response_schema
    assert schema is not None
    described: dict[str, Any] = {
        "name": schema.name,
        "schema": schema.json_schema.model_dump(exclude_none=True),
        "description": schema.description,
        "strict": schema.strict,
    }
    return {
        "type": "json_schema",
        "json_schema": {key: value for key, value in described.items() if value is not None},
    }
