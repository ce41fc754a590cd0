"""Whether a vLLM server makes the same ids of rows as the renderer: asked before training.

A template, a tool schema or an argument that differs by a letter trains a model on what it will never be
shown; nothing else would tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from kate_eval.errors import EndpointError, TrainingError
from kate_eval.trainers.rendering import Renderer
from kate_eval.trainers.row import Json, Row

ROWS = 32
"""Compared by default: from the whole file, at even distances."""
TIMEOUT = 60.0
_AROUND = 8
"""Tokens shown before and after the first that differs."""


@dataclass(frozen=True)
class Parity:
    """A check that found no difference."""

    rows: int
    model: str
    max_model_len: int
    """The server's context, in tokens."""


@dataclass(frozen=True)
class TokenizeEndpoint:
    """A vLLM server's /tokenize.

    Attributes:
        base_url: the server's, with or without /v1.
        model: the name it serves.
    """

    base_url: str
    model: str

    def ids(self, messages: Sequence[Json], tools: Sequence[Json], **options: Any) -> tuple[list[int], int]:
        """What the server would show its model for a chat request, and its context's length.

        Args:
            messages: of the request.
            tools: likewise.
            options: other fields of the request.

        Raises:
            EndpointError: it gives no ids.
        """
        body = {"model": self.model, "messages": list(map(_renamed, messages)), **options}
        if tools:
            body["tools"] = list(tools)
        answer = _json("POST", f"{_root(self.base_url)}/tokenize", json=body)
        return answer["tokens"], answer["max_model_len"]


def check_parity(
    rows: Sequence[Row], renderer: Renderer, base_url: str, model: str | None = None, count: int = ROWS
) -> Parity:
    """Compare the prompts of rows with what a server makes of them.

    Args:
        rows: of which some are compared.
        renderer: what training uses.
        base_url: of a vLLM server that serves the base model, with or without /v1.
        model: the name it serves; by default its first.
        count: how many rows to compare at most.

    Raises:
        TrainingError: a prompt differs; it shows where.
        EndpointError: the server doesn't answer.
    """
    endpoint = TokenizeEndpoint(base_url, model or served_model(base_url))
    kwargs = {"chat_template_kwargs": renderer.template_kwargs} if renderer.template_kwargs else {}
    chosen = spread(rows, count)
    context = 0
    for row in chosen:
        ours = renderer.prompt_ids(row.messages, row.tools)
        theirs, context = endpoint.ids(row.messages, row.tools, **kwargs)
        if ours != theirs:
            raise TrainingError(difference(row.id, ours, theirs, renderer))
    return Parity(len(chosen), endpoint.model, context)


def spread(rows: Sequence[Row], count: int) -> list[Row]:
    """So many of the rows, at even distances."""
    count = min(count, len(rows))
    return [rows[place * len(rows) // count] for place in range(count)]


def difference(name: str, ours: Sequence[int], theirs: Sequence[int], renderer: Renderer) -> str:
    """Where two renderings of a row part, for people."""
    pairs = zip(ours, theirs, strict=False)
    place = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(theirs)))
    before = renderer.decode(ours[max(0, place - _AROUND) : place])
    return (
        f"Row {name}: the server shows its model other tokens than training would. They part at token "
        f"{place} of {len(ours)} here and {len(theirs)} there, after {before!r}:\n"
        f"  training: {_next(ours, place, renderer)}\n"
        f"  server:   {_next(theirs, place, renderer)}\n"
        "Serve the base model that is trained, with its own chat template (or train with the server's: "
        "--chat-template FILE, --template-args)"
    )


def served_model(base_url: str) -> str:
    """The first model that a server names.

    Raises:
        EndpointError: it doesn't answer, or names none.
    """
    models = _json("GET", f"{_root(base_url)}/v1/models").get("data") or []
    if not models:
        raise EndpointError(f"{base_url} serves no model")
    return str(models[0]["id"])


def _next(ids: Sequence[int], place: int, renderer: Renderer) -> str:
    shown = ids[place : place + _AROUND]
    return f"{renderer.decode(shown)!r} {list(shown)}" if shown else "(ends there)"


def _root(base_url: str) -> str:
    return base_url.rstrip("/").removesuffix("/v1")


def _renamed(message: Json) -> Json:
    """/tokenize knows reasoning by vLLM's own name only; the chat endpoint renames the other by itself."""
    if "reasoning_content" not in message:
        return message
    reasoning = message.get("reasoning", message["reasoning_content"])
    return {**{k: v for k, v in message.items() if k != "reasoning_content"}, "reasoning": reasoning}


def _json(method: str, url: str, **options: Any) -> Json:
    try:
        answer = httpx.request(method, url, timeout=TIMEOUT, **options)
        answer.raise_for_status()
        data = answer.json()
    except httpx.HTTPStatusError as ex:
        said = ex.response.text[:300]
        raise EndpointError(
            f"{url} answers {ex.response.status_code}, so parity can't be checked: {said}"
        ) from ex
    except (httpx.HTTPError, ValueError) as ex:
        raise EndpointError(
            f"{url} doesn't answer as a vLLM server does ({type(ex).__name__}: {ex}). Start one with the "
            "base model (kate serve MODEL) and give its address: --parity-url http://127.0.0.1:8000/v1"
        ) from ex
    if not isinstance(data, dict):
        raise EndpointError(f"{url} doesn't answer as a vLLM server does: {str(data)[:200]}")
    return data
