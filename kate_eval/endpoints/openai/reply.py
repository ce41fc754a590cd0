"""A chat completion as Inspect's model output: choices with calls, reasoning and logprobs; the usage."""

import json
import re
import uuid
from collections.abc import Sequence
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    Content,
    ContentReasoning,
    ContentText,
    Logprobs,
    ModelUsage,
    StopReason,
)
from inspect_ai.tool import ToolCall

from kate_eval.endpoints.openai.failures import Refused, Unavailable, failure, words
from kate_eval.endpoints.openai.messages import REASONING_FIELDS, THINK, Json

STOP_REASONS: dict[str, StopReason] = {
    "stop": "stop",
    "eos": "stop",
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "model_length": "model_length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
DEPTH = 100
"""Arguments nested deeper are no call: a log could not be read back."""
SHOWN = 16 * 1024
"""Characters of arguments that a parse error repeats."""
INLINE = re.compile(r"\s*<think>(.*?)</think>(.*)", re.DOTALL)
SURROGATE = re.compile("[\ud800-\udfff]")


def completion(url: str, body: bytes) -> Json:
    """The chat completion in a successful response.

    Raises:
        Unavailable: it was cut off, holds no choices, or is an error after all.
        Refused: this is no chat completions server.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as ex:
        if body.lstrip().startswith(b"<"):
            raise Refused(
                f"{url} answered with a web page, not JSON: {words(body)[:200]} "
                "Is it the server's base URL (ending in /v1), and no proxy in between?"
            ) from ex
        raise Unavailable(f"{url} answered with broken JSON ({len(body)} bytes): {ex}") from ex
    if isinstance(data, dict) and isinstance(data.get("choices"), list) and data["choices"]:
        return data
    if isinstance(data, dict) and data.get("error"):
        code = data["error"].get("code") if isinstance(data["error"], dict) else None
        raise failure(url, code if isinstance(code, int) and code >= 400 else 500, {}, body)
    raise Unavailable(f"{url} answered without any choice: {words(body)}")


def decode_choices(url: str, data: Json, model: str) -> list[ChatCompletionChoice]:
    """The choices in their order.

    Raises:
        Unavailable: they are not in the API's form.
    """
    try:
        found = sorted(data["choices"], key=lambda choice: choice.get("index") or 0)
        prompt = _prompt_logprobs(data.get("prompt_logprobs"))
        return [_choice(choice, model, prompt) for choice in found]
    except (AttributeError, KeyError, TypeError, ValueError) as ex:
        raise Unavailable(f"{url} answered with a chat completion of another form: {ex!r}") from ex


def _choice(choice: Json, model: str, prompt: Logprobs | None) -> ChatCompletionChoice:
    logprobs = (choice.get("logprobs") or {}).get("content")
    return ChatCompletionChoice(
        message=_message(choice["message"], model),
        stop_reason=STOP_REASONS.get(choice.get("finish_reason") or "", "unknown"),
        logprobs=None if logprobs is None else Logprobs(content=logprobs),
        prompt_logprobs=prompt,
    )


def _message(message: Json, model: str) -> ChatMessageAssistant:
    calls = [_call(call) for call in message.get("tool_calls") or ()]
    return ChatMessageAssistant(
        content=_content(message), tool_calls=calls or None, model=model, source="generate"
    )


def _content(message: Json) -> str | list[Content]:
    refusal = message.get("refusal")
    text = _text(refusal or message.get("content"))
    for field in REASONING_FIELDS:
        if message.get(field):
            reasoning = ContentReasoning(reasoning=_text(message[field]), internal=field)
            return [reasoning, ContentText(text=text, refusal=True if refusal else None)]
    if refusal:
        return [ContentText(text=text, refusal=True)]
    if "</think>" in text and (inline := INLINE.fullmatch(text)):
        return [ContentReasoning(reasoning=inline[1], internal=THINK), ContentText(text=inline[2])]
    return text


def _text(content: Any) -> str:
    """Text, or the texts of parts; half characters, which no file can hold, are replaced."""
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content)
    text = str(content or "")
    return text if text.isascii() else SURROGATE.sub("\ufffd", text)


def _call(call: Json) -> ToolCall:
    function = call["function"]
    arguments, error = parse_arguments(function.get("arguments"))
    return ToolCall(
        id=str(call.get("id") or f"call_{uuid.uuid4().hex[:12]}"),
        function=_text(function.get("name")),
        arguments=arguments,
        parse_error=error,
    )


def parse_arguments(arguments: Any) -> tuple[dict[str, Any], str | None]:
    """A call's arguments, or none and an error that holds the text as the model wrote it."""
    if isinstance(arguments, dict):
        arguments = json.dumps(arguments)
    text = _text(arguments).strip() or "{}"
    try:
        parsed = json.loads(text)
        if "\\u" in text:  # an escape may be half a character, which no log can hold
            json.dumps(parsed, ensure_ascii=False).encode()
        if not isinstance(parsed, dict):
            raise ValueError("they are no JSON object")
        if text.count("[") + text.count("{") > DEPTH and _depth(parsed) > DEPTH:
            raise ValueError(f"they are nested deeper than {DEPTH} levels")
    except RecursionError:
        return {}, _parse_error(text, f"they are nested deeper than {DEPTH} levels")
    except ValueError as ex:
        return {}, _parse_error(text, str(ex))
    return parsed, None


def _parse_error(text: str, why: str) -> str:
    # Inspect's own words, so that what reads them works with every provider.
    shown = text if len(text) <= SHOWN else f"{text[: SHOWN // 2]}\n...\n{text[-SHOWN // 2 :]}"
    return f"Error parsing the following tool call arguments:\n\n{shown}\n\nError details: {why}"


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth


def decode_usage(usage: Json | None) -> ModelUsage | None:
    """The tokens; those read from the prefix cache are told apart, as Inspect counts them."""
    if not usage:
        return None
    prompt, output = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    details = usage.get("prompt_tokens_details") or {}
    read, written = details.get("cached_tokens"), details.get("cache_write_tokens")
    return ModelUsage(
        input_tokens=prompt - (read or 0) - (written or 0),
        output_tokens=output,
        total_tokens=usage.get("total_tokens") or prompt + output,
        input_tokens_cache_read=read,
        input_tokens_cache_write=written,
        reasoning_tokens=(usage.get("completion_tokens_details") or {}).get("reasoning_tokens"),
    )


def sum_usage(usages: Sequence[ModelUsage | None]) -> ModelUsage | None:
    """The usage of several requests together; None when no server told any."""
    told = [usage for usage in usages if usage is not None]
    if not told:
        return None
    total = told[0]
    for usage in told[1:]:
        total = total + usage
    return total


def _prompt_logprobs(positions: list[dict[str, Json] | None] | None) -> Logprobs | None:
    """In vLLM's form: for each position token id -> {decoded_token, logprob}, the prompt's first."""
    content = []
    for position in positions or ():
        if position:
            tokens = [
                {"token": found.get("decoded_token") or str(number), "logprob": found["logprob"]}
                for number, found in position.items()
            ]
            content.append({**tokens[0], "top_logprobs": tokens[1:] or None})
    return Logprobs.model_validate({"content": content}) if content else None
