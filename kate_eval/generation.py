"""Which outputs of a model count as its answer: the one place that says so.

A generation has *failed* where the server did not finish it; nobody may score it, so it is asked again and
is at last an error. A generation is *flawed* where the server is done and the answer is not whole: it is
scored as the official tool scores it, its cause is named, and nothing is learned from it.
"""

import re
from typing import Any, Literal, get_args

from inspect_ai.model import ChatMessageAssistant, ContentText, ModelOutput, StopReason

Flaw = Literal["cut off", "filtered", "refused", "leaked", "looped"]
"""Why a finished generation is nothing to learn from."""
FLAWS: tuple[Flaw, ...] = get_args(Flaw)
FLAW_KEY = "kate:flaw"
"""Key in a message's metadata: the flaw of the generation that it came from."""

SOUND_REASONS = frozenset(
    {"stop", "eos", "eos_token", "stop_sequence", "end_turn", "tool_calls", "tool_use", "function_call"}
    | {"length", "max_tokens", "model_length", "content_filter"}
)
"""Finish reasons of a generation that has ended. With an unknown one and no content, it has failed."""
FAILURE_REASONS = frozenset(
    {"abort", "aborted", "cancelled", "canceled", "error", "failed", "network_error", "timeout"}
    | {"insufficient_system_resource"}
)
"""Finish reasons of a generation that the server gave up: of vLLM, SGLang, OpenRouter, Zhipu, DeepSeek."""

SPECIAL_TOKEN = re.compile(
    r"<\|(?:im_start|im_end|endoftext|end_of_text|eot_id|eom_id|start_header_id|end_header_id|begin_of_text"
    r"|end|user|assistant|system|eos|bos)\|>"
    r"|<(?:start_of_turn|end_of_turn|eos|bos)>|</s>|<｜(?:end▁of▁sentence|User|Assistant|begin▁of▁sentence)｜>"
    r"|\[/?INST\]"
)
"""Tokens that end or begin messages; in a message's own text they have leaked."""
REFUSAL = re.compile(
    r"\s*(?:i['’]?m|i am)\s+(?:very |so |really )?sorry,?\s+(?:but\s+)?"
    r"i\s*(?:can(?:no|['’]?)t|am (?:not able|unable)|won['’]t)"
    r"|\s*(?:sorry,?\s+(?:but\s+)?)?i\s*(?:can(?:no|['’])t|am (?:not able to|unable to)|won['’]t)"
    r"\s+(?:help|assist|comply|fulfil|provide|do that|write|continue)",
    re.IGNORECASE,
)
"""How a refusal begins that a model gives in words."""

LOOP_TAIL = 4_000
"""Characters at the end of a text in which a loop is looked for."""
LOOP_MIN = 200
"""Characters that a loop takes at least."""
LOOP_REPEATS = 8
"""Times that its unit stands there at least."""


def failed_choice(finish_reason: str | None, has_content: bool, error: Any = None) -> str | None:
    """Return why a choice of a chat completion has failed, or None for a finished one.

    Args:
        finish_reason: in the server's word.
        has_content: whether the choice holds text, reasoning or a call.
        error: the choice's own error object, if it has one.
    """
    if error:
        message = error.get("message") if isinstance(error, dict) else error
        return f"the generation failed: {message or error}"
    word = (finish_reason or "").lower()
    if word in FAILURE_REASONS:
        return f"the server did not finish the generation (finish_reason {word!r})"
    if word not in SOUND_REASONS and not has_content and word:
        return f"the answer is empty, with the unknown finish_reason {word!r}"
    return None


def failed_output(output: ModelOutput) -> str | None:
    """Return why an output of any provider holds no answer, or None where it holds one.

    Providers of others report a reason that they do not know as "unknown", so that an aborted generation
    with some text cannot be recognised there.
    """
    if not output.choices:
        return f"an answer without any choice{f': {output.error}' if output.error else ''}"
    choice = output.choices[0]
    if choice.stop_reason == "unknown" and not has_content(choice.message):
        return output.error or "an empty answer that ended for an unknown reason"
    return None


def has_content(message: ChatMessageAssistant) -> bool:
    """Return whether a message holds text, reasoning or calls."""
    if message.tool_calls or message.text.strip():
        return True
    return not isinstance(message.content, str) and any(
        not isinstance(part, ContentText) for part in message.content
    )


def flaw_of(message: ChatMessageAssistant, stop_reason: StopReason | None = None) -> Flaw | None:
    """Return why nothing is to be learned from a message, or None for a sound one.

    Args:
        message: as the model wrote it, or as a log holds it.
        stop_reason: of its generation, where it is known.
    """
    marked = (message.metadata or {}).get(FLAW_KEY)
    if marked in FLAWS:
        return marked  # type: ignore[no-any-return]
    if stop_reason in ("max_tokens", "model_length"):
        return "cut off"
    if stop_reason == "content_filter":
        return "filtered"
    if not isinstance(message.content, str) and any(
        isinstance(part, ContentText) and part.refusal for part in message.content
    ):
        return "refused"
    return text_flaw(message.text)


def text_flaw(text: str) -> Flaw | None:
    """Return the flaw that shows in a text itself: leaked special tokens, or a loop."""
    if SPECIAL_TOKEN.search(text):
        return "leaked"
    return "looped" if loops(text) else None


def refuses(text: str) -> bool:
    """Return whether a text begins as a refusal. For writers' answers: an agent's may refuse rightly."""
    return REFUSAL.match(text) is not None


def loops(text: str) -> bool:
    """Return whether a text ends in one unit over and over. Linear in the length of its tail."""
    tail = text[-LOOP_TAIL:][::-1]
    if len(tail) < LOOP_MIN:
        return False
    # Knuth, Morris and Pratt's borders: a prefix of the reversed tail whose period is short is a loop.
    borders = [0] * len(tail)
    matched = 0
    for place in range(1, len(tail)):
        while matched and tail[place] != tail[matched]:
            matched = borders[matched - 1]
        matched += tail[place] == tail[matched]
        borders[place] = matched
        size = place + 1
        period = size - matched
        if size >= max(LOOP_MIN, LOOP_REPEATS * period) and tail[:period].strip(" \n-=_*.#|"):
            return True
    return False
