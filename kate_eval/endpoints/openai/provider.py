"""`--model kate/NAME`: a model provider for OpenAI-compatible servers, made for many small requests.

Guide: docs/endpoints.md.
"""

import asyncio
import os
from collections.abc import Coroutine, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    ModelAPI,
    ModelCall,
    ModelOutput,
    RetryDecision,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from kate_eval.endpoints.openai.attempts import Attempts, Wait, end_attempts
from kate_eval.endpoints.openai.client import Client
from kate_eval.endpoints.openai.failures import Refused, Unavailable
from kate_eval.endpoints.openai.messages import Json
from kate_eval.endpoints.openai.reply import decode_choices, decode_usage, sum_usage
from kate_eval.endpoints.openai.request import Encoder, Request
from kate_eval.endpoints.openai.transport import Transport, Verify
from kate_eval.errors import ConfigurationError, unknown

KEY_VARIABLES = ["KATE_API_KEY", "OPENAI_API_KEY"]
URL_VARIABLE = "KATE_BASE_URL"
ARGUMENTS = ("headers", "patience", "replicas", "request_timeout", "verify")


@dataclass(frozen=True)
class Asked:
    """One attempt at one call: what each of its requests shares."""

    request: Request
    headers: dict[str, str]
    key: Hashable
    attempts: Attempts
    max_tokens: int | None


class KateAPI(ModelAPI):
    """A model behind one or several OpenAI-compatible servers."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - Inspect's own signature
        replicas: str | Sequence[str] | None = None,
        headers: dict[str, Any] | None = None,
        verify: Verify = True,
        request_timeout: float = 600.0,
        patience: float = 900.0,
        **unexpected: Any,
    ) -> None:
        """Create the provider; nothing is connected yet.

        Args:
            model_name: the model, as the servers call it.
            base_url: the servers' base URLs, separated by commas; else `replicas`, else KATE_BASE_URL.
            api_key: sent as a bearer token; else KATE_API_KEY, else OPENAI_API_KEY, else none.
            config: Inspect's defaults.
            replicas: the base URLs as -M can pass them.
            headers: sent with every request.
            verify: whether TLS certificates are checked, or a file of authorities to check them by.
            request_timeout: seconds for one attempt; Inspect's attempt_timeout counts besides.
            patience: seconds for all attempts, where neither max_retries nor timeout is set.
            unexpected: refused.

        Raises:
            ConfigurationError: no or no usable base URL, or an unknown argument.
        """
        super().__init__(model_name, base_url, api_key, KEY_VARIABLES, config)
        if unexpected:
            raise unknown("argument of kate/", next(iter(unexpected)), ARGUMENTS, "Pass it as -M NAME=VALUE.")
        urls = base_urls(base_url or replicas or os.environ.get(URL_VARIABLE) or "")
        self.base_url = ",".join(urls)
        self._fixed = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        self._fixed |= {name: str(value) for name, value in (headers or {}).items()}
        self._patience = patience
        self._transport = Transport(verify, request_timeout)
        self._client = Client(model_name, urls, self._transport)
        self._encoder = Encoder(model_name)
        self._ignores_n = False
        """Whether the servers were seen to give one choice whatever number is asked for."""

    def connection_key(self) -> str:
        """Models behind the same servers share their connections."""
        return str(self.base_url)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def refresh_credentials(self) -> None:
        """Take a renewed key; requests under way go on."""
        self._apply_api_key_overrides()

    def should_retry(self, ex: Exception) -> RetryDecision:
        """Whether another attempt may help."""
        if not isinstance(ex, Unavailable) or ex.final:
            return RetryDecision.no()
        decide = RetryDecision.rate_limit if ex.rate_limited else RetryDecision.transient
        return decide(ex.retry_after)

    def retry_wait(self) -> Wait:
        """How long Inspect waits between attempts."""
        return Wait()

    def is_auth_failure(self, ex: Exception) -> bool:
        """Whether the key was refused."""
        return isinstance(ex, Refused) and ex.status == 401

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput | tuple[ModelOutput | Exception, ModelCall]:
        """One attempt at one call.

        Raises:
            Unavailable: no replica gave a usable answer.
            Refused: the servers won't answer this.
            EndpointError: it can't be expressed.
        """
        asked = Asked(
            request=self._encoder.encode(input, tools, tool_choice, config),
            headers=self._headers() | (config.extra_headers or {}),
            key=conversation_key(input),
            attempts=self._client.begin(input),
            max_tokens=config.max_tokens,
        )
        try:
            output = await self._answer(asked, config.num_choices or 1)
        except Unavailable as ex:
            ex.final = asked.attempts.used_up(config, self._patience)
            if ex.final:
                end_attempts()
            raise
        end_attempts()
        return output

    def _headers(self) -> dict[str, str]:
        # The key may have been renewed since the last request.
        key = {"Authorization": f"Bearer {self.api_key or own_key()}"} if self.api_key or own_key() else {}
        self._client.headers = headers = self._fixed | key
        return headers

    async def _answer(self, asked: Asked, choices: int) -> ModelOutput | tuple[ModelOutput, ModelCall]:
        """All choices in one request, and those that it lacks in one request each."""
        at_once = 1 if self._ignores_n else choices
        first = await self._ask(asked, at_once, 0)
        if isinstance(first, ModelOutput):
            return first
        name = str(first.get("model") or self.model_name)
        output = ModelOutput(
            model=name,
            choices=decode_choices(str(self.base_url), first, name)[:choices],
            usage=decode_usage(first.get("usage")),
            response_id=first.get("id"),
        )
        if len(output.choices) < choices:
            self._ignores_n = len(output.choices) == 1
            output = await self._topped_up(asked, output, choices)
        return output, asked.request.logged(at_once, first)

    async def _topped_up(self, asked: Asked, output: ModelOutput, choices: int) -> ModelOutput:
        """The output with the choices that it lacked; the usage is that of all requests."""
        have = len(output.choices)
        answers = await _gather([self._ask(asked, 1, number) for number in range(have, choices)])
        found, usages = list(output.choices), [output.usage]
        for answer in answers:
            if isinstance(answer, ModelOutput):
                return answer  # refused for its length or content, which is the same for all
            found += decode_choices(str(self.base_url), answer, output.model)[:1]
            usages.append(decode_usage(answer.get("usage")))
        return output.model_copy(
            update={
                "choices": found,
                "usage": sum_usage(usages),
                "input_context_tokens": _context_tokens(output),
                "metadata": {"extra_requests": choices - have},
            }
        )

    async def _ask(self, asked: Asked, choices: int, variant: int) -> Json | ModelOutput:
        body = asked.request.body(choices, variant)
        return await self._client.ask(
            body, asked.headers, asked.key, asked.attempts, choices, asked.max_tokens
        )


def own_key() -> str | None:
    """The key that the environment holds."""
    return next((os.environ[name] for name in KEY_VARIABLES if os.environ.get(name)), None)


def base_urls(named: str | Sequence[str]) -> list[str]:
    """The base URLs that a user named, each once and without a slash at the end.

    Raises:
        ConfigurationError: none is named, or one is no http address.
    """
    listed = named.split(",") if isinstance(named, str) else [str(url) for url in named]
    urls = list(dict.fromkeys(url.strip().rstrip("/") for url in listed if url.strip()))
    if not urls:
        raise ConfigurationError(
            "kate/ needs the base URL of a server, or several separated by commas: pass --model-base-url "
            f"http://localhost:8000/v1, or set {URL_VARIABLE}."
        )
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"The base URL {url!r} must begin with http:// or https://.")
    return urls


def conversation_key(messages: Sequence[ChatMessage]) -> Hashable:
    """What a conversation's requests share: its beginning, up to the first user message.

    It is what the servers' prefix caches share too, so epochs of one sample go together. A number, since
    thousands are remembered; two conversations that share one by chance only share a home.
    """
    texts: list[str] = []
    for message in messages:
        texts.append(message.text)
        if message.role == "user":
            break
    return hash(tuple(texts))


def _context_tokens(output: ModelOutput) -> int | None:
    usage = output.usage
    if usage is None:
        return None
    return usage.input_tokens + (usage.input_tokens_cache_read or 0) + (usage.input_tokens_cache_write or 0)


async def _gather(requests: Sequence[Coroutine[Any, Any, Json | ModelOutput]]) -> list[Json | ModelOutput]:
    """Run together; the first error is raised, and ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(request) for request in requests]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return [task.result() for task in tasks]
