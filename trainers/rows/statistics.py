"""How long rows are: by a tokenizer and its chat template, or by a rule of thumb.

transformers is imported when a tokenizer is asked for; its environment is `kate train setup`'s.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kate_eval.errors import ConfigurationError, one_line
from kate_eval.trainers.row import Json, Row, read_call
from kate_eval.trainers.rows.card import Tokens

CHARACTERS = 4
"""Characters a token, as a rule of thumb for English, code and JSON."""
SMALLEST = 256
"""First bound of the histogram; each other is twice the one before."""


@dataclass(frozen=True)
class Counter:
    """Counts the tokens of rows.

    Attributes:
        name: of the way of counting, for the card.
        count: row -> tokens of prompt and completion together, and of the completion.
    """

    name: str
    count: Callable[[Row], tuple[int, int]]


def by_characters() -> Counter:
    """The estimate: characters of the JSON text, divided by four."""

    def count(row: Row) -> tuple[int, int]:
        completion = _estimate(_text(row.completion))
        prompt = sum(len(_text(part)) for part in (row.messages, row.tools))
        return -(-prompt // CHARACTERS) + completion, completion

    return Counter(f"an estimate: {CHARACTERS} characters a token", count)


def _estimate(text: str) -> int:
    return -(-len(text) // CHARACTERS)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def by_tokenizer(name: str) -> Counter:
    """By a tokenizer's chat template where it has one, else the tokens of the JSON text.

    Args:
        name: folder, or name on the hub.

    Raises:
        ConfigurationError: transformers is missing, or the tokenizer can't be loaded.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError as ex:
        raise ConfigurationError(
            "--tokenizer needs transformers, which is in the trainers' environment (kate train setup) or "
            "comes with: pip install transformers. Without it tokens are estimated"
        ) from ex
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(name)
    except Exception as ex:  # transformers raises its own types, and the hub's
        raise ConfigurationError(f"--tokenizer {name}: it can't be loaded: {one_line(ex)}") from ex
    template = bool(getattr(tokenizer, "chat_template", None))

    def length(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    def count(row: Row) -> tuple[int, int]:
        answer = length(_said(row.completion))
        if not template:
            return length(_text(row.messages)) + length(_text(row.tools)) + answer, answer
        conversation = [_parsed(message) for message in (*row.messages, row.completion)]
        text = tokenizer.apply_chat_template(conversation, tools=list(row.tools) or None, tokenize=False)
        return length(text), answer

    return Counter(f"{name}{'' if template else ', without a chat template'}", count)


def _said(message: Json) -> str:
    calls = "\n".join(_text(call["function"]) for call in message.get("tool_calls") or ())
    parts = (message.get("reasoning_content"), message.get("content"), calls)
    return "\n".join(str(part) for part in parts if part)


def _parsed(message: Json) -> Json:
    """A message as servers give it to a chat template: arguments as data."""
    calls = message.get("tool_calls")
    if not calls:
        return message
    parsed = [
        {**call, "function": {**call["function"], "arguments": read_call(call).arguments}} for call in calls
    ]
    return {**message, "tool_calls": parsed}


def measure(rows: Iterable[Row], counter: Counter) -> Tokens:
    """The statistics of rows; there must be one at least."""
    counted = [counter.count(row) for row in rows]
    whole = sorted(total for total, _ in counted)
    answers = sorted(answer for _, answer in counted)
    return Tokens(
        counted_by=counter.name,
        median=quantile(whole, 0.5),
        p90=quantile(whole, 0.9),
        p99=quantile(whole, 0.99),
        max=whole[-1],
        completion_median=quantile(answers, 0.5),
        completion_max=answers[-1],
        histogram=_buckets(whole),
    )


def quantile(ordered: Sequence[int], share: float) -> int:
    """The smallest value that this share of the values does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _buckets(values: Sequence[int]) -> dict[str, int]:
    """Upper bound -> values, from the first bucket that has any to the last."""
    found: dict[int, int] = {}
    for value in values:
        bound = SMALLEST
        while bound < value:
            bound *= 2
        found[bound] = found.get(bound, 0) + 1
    bound, last = min(found), max(found)
    bounds = [bound]
    while bounds[-1] < last:
        bounds.append(bounds[-1] * 2)
    return {str(bound): found.get(bound, 0) for bound in bounds}
