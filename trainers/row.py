"""One row of training data: a conversation as the provider kate/ sends it, and the answer to learn.

Rows are written as JSON Lines in which messages, tools and completion are JSON text, so that every line has
one schema for `datasets`; a call's arguments are JSON text in them, as in the chat completions API.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from kate_eval.episode import Call
from kate_eval.knowledge.item import Origin

Json = dict[str, Any]
SCHEMA: Literal[1] = 1
"""Version of the row format. A reader refuses any other."""
ROLES = ("system", "user", "assistant", "tool")


class Row(BaseModel):
    """One assistant step: what the model is shown, and what it should answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = SCHEMA
    id: str = Field(min_length=1)
    """Unique in its folder: "<entry>/<turn>/<step>/<kind>", with the augmentation or the run behind it."""
    kind: Literal["step", "aggregation"] = "step"
    """A step of the conversation, or the choice among candidates for one (what a critic is asked)."""
    benchmark: str
    entry: str
    """Id of the entry it was made from."""
    cluster: str
    """The scenario that the entry varies: rows are split by it, never by step."""
    turn: int = Field(ge=0)
    step: int = Field(ge=0)
    mode: Literal["fc", "prompt", "code"]
    """How an answer acts: tool calls, calls written as text, or a block of code (AppWorld)."""
    messages: tuple[Json, ...] = Field(min_length=1)
    """The conversation before the answer, as the chat completions API has it."""
    tools: tuple[Json, ...] = ()
    """The tools offered, likewise; none where the text describes them."""
    completion: Json
    """The assistant message to learn, likewise: content, reasoning_content, tool_calls."""
    knowledge: tuple[str, ...] = ()
    """Ids of the bank's items that the messages show."""
    origin: Origin = Origin()
    """Gold or a run; `writer` is the model that wrote reasoning and closing replies, if one did."""

    @field_validator("messages", "tools", "completion", mode="before")
    @classmethod
    def _parse(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str):
            return value
        try:
            # The rows of a turn, and of most entries, offer the same tools: they are read once, and shared.
            return _read_tools(value) if info.field_name == "tools" else json.loads(value)
        except (ValueError, RecursionError) as ex:
            raise ValueError(f"no JSON: {ex}") from ex

    @field_serializer("messages", "tools", "completion", when_used="json")
    def _text(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.completion.get("role") != "assistant":
            raise ValueError("completion: its role is not assistant")
        for number, message in enumerate(self.messages, start=1):
            if message.get("role") not in ROLES:
                raise ValueError(f"messages: message {number} has the role {message.get('role')!r}")
        offered = {_tool_name(tool) for tool in self.tools}
        for call in self.calls:
            if self.mode == "fc" and self.kind == "step" and call.name not in offered:
                raise ValueError(
                    f"completion: calls {call.name[:80]!r}, which is not among the tools offered"
                )
        return self

    @property
    def calls(self) -> tuple[Call, ...]:
        """The tool calls of the completion.

        Raises:
            ValueError: one can't be read.
        """
        return tuple(map(read_call, self.completion.get("tool_calls") or ()))


@lru_cache(maxsize=1024)
def _read_tools(text: str) -> Any:
    return json.loads(text)


def _tool_name(tool: Json) -> str:
    function = tool.get("function")
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise ValueError("tools: a tool without a function name")
    name: str = function["name"]
    return name


def read_call(written: Mapping[str, Any]) -> Call:
    """A tool call of the chat completions API.

    Raises:
        ValueError: it has no name, or its arguments are no JSON object.
    """
    function = written.get("function") if isinstance(written, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise ValueError("completion: a tool call without a function name")
    arguments = function.get("arguments")
    try:
        arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    except (ValueError, RecursionError) as ex:
        raise ValueError(f"completion: the arguments of {function['name']} are no JSON: {ex}") from ex
    if not isinstance(arguments, dict):
        raise ValueError(f"completion: the arguments of {function['name']} are no JSON object")
    return Call(function["name"], arguments)
