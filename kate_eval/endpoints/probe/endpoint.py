"""The endpoint behind an Inspect model, asked over plain HTTP: one line for each way it can fail."""

import os
import ssl
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import httpx
from inspect_ai.model import Model

Json = dict[str, Any]
Kind = Literal["unreachable", "tls", "auth", "not an API", "slow", "refused", "failed"]
UNREACHABLE: Literal["unreachable"] = "unreachable"
CERTAIN: tuple[Kind, ...] = (UNREACHABLE, "tls", "auth", "not an API")
"""Kinds of failure that no other request would escape."""
HOSTED = {"openai": "https://api.openai.com/v1"}
SHOWN = 300
"""Characters of a server's words that are shown."""


class Failure(Exception):
    """A request that brought no answer to read."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Endpoint:
    """A server that talks OpenAI chat completions."""

    base_url: str
    """With /v1, as the OpenAI client wants it."""
    model: str
    """As the server calls it."""
    key: str
    client: httpx.AsyncClient
    seconds: float
    """That each request may take."""

    async def get(self, path: str) -> httpx.Response:
        """GET below the base URL, or below the server's root where the path begins with a slash."""
        return await self._send("GET", path)

    async def post(self, path: str, body: Json) -> Json:
        """POST JSON, read JSON."""
        return read_json(await self._send("POST", path, body))

    async def chat(self, text: str, **options: Any) -> Json:
        """A chat completion of one user message."""
        body = {"model": self.model, "messages": [{"role": "user", "content": text}], **options}
        answer = await self.post("chat/completions", body)
        choices = answer.get("choices")
        if not isinstance(choices, list) or not all(isinstance(c, dict) for c in choices) or not choices:
            raise Failure("failed", f"the answer has no choices: {str(answer)[:SHOWN]}")
        return answer

    def url(self, path: str) -> str:
        """The URL of a path."""
        if path.startswith("/"):
            return self.base_url.removesuffix("/v1") + path
        return f"{self.base_url}/{path}"

    async def _send(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        try:
            with anyio.fail_after(self.seconds):
                response = await self.client.request(
                    method, self.url(path), json=body, headers={"Authorization": f"Bearer {self.key}"}
                )
        except (TimeoutError, httpx.TimeoutException) as ex:
            raise Failure("slow", f"no answer within {self.seconds:g} s") from ex
        except httpx.ConnectError as ex:
            raise _no_connection(ex, self.base_url) from ex
        except (httpx.HTTPError, httpx.InvalidURL) as ex:
            raise Failure("failed", f"{type(ex).__name__}: {ex}") from ex
        _check(response, self.base_url)
        return response


def read_json(response: httpx.Response) -> Json:
    """A response's JSON object."""
    try:
        value = response.json()
    except (ValueError, RecursionError) as ex:
        raise _foreign(response) from ex
    if not isinstance(value, dict):
        raise Failure("failed", f"the answer is no JSON object: {str(value)[:SHOWN]}")
    return value


def _no_connection(ex: httpx.ConnectError, url: str) -> Failure:
    cause: BaseException | None = ex
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None or "SSL" in str(ex):
        remedy = "Use http:// if the server has no TLS, or point SSL_CERT_FILE at its authority"
        return Failure("tls", f"TLS with {url} failed: {str(ex)[:SHOWN]}. {remedy}")
    remedy = "Start one (kate serve MODEL), or correct --model-base-url"
    return Failure(UNREACHABLE, f"No server answers at {url} ({str(ex)[:SHOWN]}). {remedy}")


def _check(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if status in (401, 403):
        remedy = (
            "Set the provider's key (KATE_API_KEY for kate/, VLLM_API_KEY for vllm/), or pass -M api_key=..."
        )
        raise Failure("auth", f"{url} refuses the API key ({status}). {remedy}")
    if status >= 500:  # whoever answers, with HTML or not: it may pass, or the path may not be known
        raise Failure("failed", f"the server answered {status}: {words(response)}")
    if "html" in response.headers.get("content-type", ""):
        raise _foreign(response)
    if status >= 400:
        raise Failure("refused", f"{status}: {words(response)}")


def _foreign(response: httpx.Response) -> Failure:
    start = " ".join(response.text[:120].split())
    kind = "HTML" if "html" in response.headers.get("content-type", "") else "no JSON"
    return Failure(
        "not an API",
        f"{response.url} answers {response.status_code} with {kind} ({start!r}): a proxy or another server? "
        "The base URL must be the API's own, usually ending in /v1",
    )


def words(response: httpx.Response) -> str:
    """A server's own words for an error."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return response.text[:SHOWN]
    found = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(found, dict):
        found = found.get("message") or found.get("detail") or found
    return str(found)[:SHOWN]


def addresses(model: Model, base_url: str | None = None) -> list[tuple[str, str, str]]:
    """The base URLs (separated by commas), each with the model's name there and the key.

    Empty for a provider that isn't one of HTTP. Nothing is started: vllm/ without a URL has none yet.
    """
    api = model.api
    provider = str(model).split("/")[0]
    name = getattr(api, "service_model_name", None)
    if provider != "kate" and not callable(name):
        return []
    service = str(getattr(api, "service", None) or provider).upper().replace("-", "_")
    known = base_url or api.base_url or os.environ.get(f"{service}_BASE_URL")
    known = known or os.environ.get(f"{provider.upper()}_BASE_URL") or HOSTED.get(provider)
    urls = [url.strip().rstrip("/") for url in str(known or "").split(",") if url.strip()]
    return [(url, str(name()) if callable(name) else model.name, api.api_key or "none") for url in urls]
