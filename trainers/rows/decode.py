"""From a row's completion back to calls, as an eval would read them."""

from collections.abc import Mapping
from typing import Any

from kate_eval.appworld import decode as code
from kate_eval.bfcl.categories import CATEGORIES, language_of
from kate_eval.bfcl.checker import decode_step
from kate_eval.bfcl.decode import DecodeError, decode_prompt
from kate_eval.episode import Call
from kate_eval.trainers.row import Row, read_call


def row_calls(row: Row) -> tuple[Call, ...]:
    """The calls of a step's row, whatever its mode; none for a reply."""
    return written_calls(row.completion, row.mode, row.entry)


def written_calls(message: Mapping[str, Any], mode: str, entry: str) -> tuple[Call, ...]:
    """The calls in an assistant message of the chat completions API.

    Args:
        message: with content and tool_calls.
        mode: fc, prompt or code.
        entry: that it answers: its category tells the language of calls in text.

    Raises:
        ValueError: a tool call has no name, or its arguments are no JSON object.
    """
    if mode == "fc":
        return tuple(map(read_call, message.get("tool_calls") or ()))
    text = str(message.get("content") or "")
    if mode == "code":
        written = code.read(text)
        return () if written.code is None else (code.code_block(written.code),)
    category = entry.rpartition("_")[0]
    if category.startswith("multi_turn") or category not in CATEGORIES:
        return tuple(decode_step(text, "prompt"))
    try:
        decoded = decode_prompt(text, language_of(category))
    except (DecodeError, RecursionError):
        return ()
    return tuple(Call(name, arguments) for item in decoded for name, arguments in item.items())
