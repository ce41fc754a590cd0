"""What a server or the way to it can do wrong, as errors that say whether trying again may help.

An answer that tells of the conversation's length or content is no failure: it becomes a model output.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from inspect_ai.model import ModelOutput

from kate_eval.errors import EndpointError

RETRIED = frozenset({408, 409, 425, 429})
"""Besides all 5xx."""
SHOWN = 500
"""Characters of a server's words that an error repeats."""
LONGEST_WAIT_S = 300.0
"""A server's Retry-After is followed up to here."""

OVERFLOW = re.compile(
    r"maximum context length|context[_ ]length[_ ]exceeded|maximum (?:model|input|sequence) length"
    r"|longer than the (?:maximum )?(?:model|context)|exceeds? the (?:available )?(?:model|context|maximum)"
    r"|exceeds (?:the )?model'?s? (?:maximum )?context|max_model_len|exceed_context_size|prompt is too long"
    r"|must have less than \d+ tokens|inputs? tokens \+ max_new_tokens",
    re.IGNORECASE,
)
"""vLLM's wordings since 0.6, SGLang's, llama.cpp's, TGI's and OpenAI's."""
LIMIT = re.compile(r"(?:maximum context length is|maximum model length of|max_model_len[^0-9]{1,20})\s*(\d+)")
HINTS = {
    "auto": "Start vLLM with --enable-auto-tool-choice --tool-call-parser hermes (or the model's own).",
    "greedy": "Several choices need a temperature above 0.",
    "tool": "Start the server with a tool-call parser, or play in prompting mode: -T mode=prompt.",
}


class Refused(EndpointError):
    """The server will not answer this, however often it is asked."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Unavailable(EndpointError):
    """No usable answer this time.

    Attributes:
        rate_limited: the server asked for fewer requests.
        retry_after: seconds that it asked to wait.
        lost: the connection failed, so the server may be gone.
        stale: a connection was closed before the answer began, as one kept too long is.
        final: the time or number of attempts is used up.
    """

    def __init__(
        self,
        message: str,
        *,
        rate_limited: bool = False,
        retry_after: float | None = None,
        lost: bool = False,
        stale: bool = False,
        final: bool = False,
    ) -> None:
        super().__init__(message)
        self.rate_limited = rate_limited
        self.retry_after = retry_after
        self.lost = lost
        self.stale = stale
        self.final = final


def failure(url: str, status: int, headers: Mapping[str, str], body: bytes) -> Refused | Unavailable:
    """The error of a response that is no success.

    Args:
        url: of the replica.
        status: of the response.
        headers: of the response, looked up in any case.
        body: of the response.
    """
    text = words(body)
    if status in RETRIED or status >= 500:
        return Unavailable(
            f"{url} answered {status}: {text}",
            rate_limited=status == 429,
            retry_after=retry_after(headers),
        )
    if status in (401, 403):
        return Refused(
            f"{url} refused the API key ({status}: {text}). "
            "Set KATE_API_KEY (or OPENAI_API_KEY) to a key that this server accepts.",
            status,
        )
    if 300 <= status < 400:
        location = headers.get("Location", "nowhere")
        return Refused(f"{url} redirects to {location}; name that address as the base URL.", status)
    return Refused(f"{url} refused the request ({status}): {text}{_hint(text)}", status)


def _hint(text: str) -> str:
    if "auto" in text and "tool" in text and "choice" in text:
        return f" {HINTS['auto']}"
    if "greedy" in text:
        return f" {HINTS['greedy']}"
    return f" {HINTS['tool']}" if "tool" in text and "parser" in text else ""


def as_output(model: str, status: int, body: bytes, max_tokens: int | None) -> ModelOutput | None:
    """A refusal for length or content as a model output, so that the sample goes on; None for others."""
    if status not in (400, 413, 422):
        return None
    text = words(body)
    code = str(_error(body).get("code") or "")
    if "content_filter" in code or "content_policy" in code:
        return ModelOutput.from_content(model, text, "content_filter", text)
    if status != 413 and not OVERFLOW.search(text) and not OVERFLOW.search(code):
        return None
    limit = LIMIT.search(text)
    if limit and max_tokens is not None and max_tokens >= int(limit[1]):
        return None  # no conversation is short enough for this many tokens
    return ModelOutput.from_content(model, text, "model_length", text)


def words(body: bytes) -> str:
    """What the server says, from its JSON or as text."""
    message = _error(body).get("message")
    text = message if isinstance(message, str) and message else body.decode("utf-8", "replace")
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[:SHOWN] + " ..."


def _error(body: bytes) -> dict[str, Any]:
    """The error object: OpenAI's {"error": {...}}, vLLM's older flat one, or FastAPI's {"detail": ...}."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(data, dict):
        return {}
    inner = data.get("error", data)
    if isinstance(inner, dict):
        return inner if "message" in inner else {"message": json.dumps(inner)}
    return {"message": str(inner)}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that the server asks to wait, at most LONGEST_WAIT_S; None when it doesn't say."""
    value = headers.get("Retry-After", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT_S) if seconds == seconds else None
