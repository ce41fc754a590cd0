"""Asks the replicas: one after the other until one gives a usable answer, without waiting in between."""

import json
from collections.abc import Hashable, Mapping, Sequence

from inspect_ai.model import ChatMessage, ModelOutput

from kate_eval.endpoints.openai.attempts import Attempts, next_attempt
from kate_eval.endpoints.openai.failures import Refused, Unavailable, as_output, failure, words
from kate_eval.endpoints.openai.messages import Json
from kate_eval.endpoints.openai.replicas import Replica, Replicas
from kate_eval.endpoints.openai.reply import completion
from kate_eval.endpoints.openai.transport import Transport

PROBE_S = 5.0
"""Time for a server to say that it is well, or which models it has."""


class Client:
    """The servers of one model."""

    def __init__(self, model: str, urls: Sequence[str], transport: Transport) -> None:
        self._model = model
        self._transport = transport
        self.replicas = Replicas(urls, self._well)
        self.headers: Mapping[str, str] = {}
        """Sent when asking after a server's health or models."""

    def begin(self, input: list[ChatMessage]) -> Attempts:
        """Begin an attempt at the call with these messages.

        What the latest one still waited for when Inspect gave it up hangs, so it counts as lost.
        """
        attempts = next_attempt(input)
        for replica in attempts.waiting:
            self.replicas.failed(replica, "it gave no answer in time", lost=True)
        attempts.waiting.clear()
        return attempts

    async def ask(
        self,
        body: bytes,
        headers: Mapping[str, str],
        key: Hashable,
        attempts: Attempts,
        choices: int,
        max_tokens: int | None,
    ) -> Json | ModelOutput:
        """Ask for a chat completion.

        Args:
            body: the request.
            headers: of the request.
            key: the conversation's.
            attempts: at this call.
            choices: how many the request asks for.
            max_tokens: how many tokens it asks for, if it says so.

        Returns:
            The completion, or Inspect's output for one refused for its length or content.

        Raises:
            Unavailable: every replica failed.
            Refused: one won't answer this request.
        """
        tried = attempts.slow if self.replicas.pick(key, attempts.slow) else set()
        stale: set[str] = set()
        failed: list[Unavailable] = []
        while (replica := self.replicas.pick(key, tried)) is not None:
            try:
                with self.replicas.busy(replica, choices):
                    attempts.waiting.add(replica)
                    found = await self._ask(replica, body, headers, max_tokens)
                attempts.waiting.discard(replica)
                self.replicas.succeeded(replica)
                return found
            except Refused:
                attempts.waiting.discard(replica)
                raise
            except Unavailable as ex:
                attempts.waiting.discard(replica)
                if ex.stale and replica.url not in stale:
                    stale.add(replica.url)  # a kept connection that the server had closed: once more
                    continue
                self.replicas.failed(replica, str(ex), ex.lost)
                failed.append(ex)
                tried = tried | {replica.url}
        raise _together(failed)

    async def _ask(
        self, replica: Replica, body: bytes, headers: Mapping[str, str], max_tokens: int | None
    ) -> Json | ModelOutput:
        url = replica.url
        answer = await self._transport.post(f"{url}/chat/completions", body, headers)
        if answer.status == 200:
            return completion(url, answer.body)
        output = as_output(self._model, answer.status, answer.body, max_tokens)
        if output is not None:
            return output
        if answer.status == 404:
            models = await self._models(url)
            raise Refused(f"{url} has no model {self._model!r} ({words(answer.body)}). {models}", 404)
        raise failure(url, answer.status, answer.headers, answer.body)

    async def _well(self, url: str) -> bool:
        """Whether a server can serve: by vLLM's and SGLang's /health where there is one, else its models."""
        try:
            root = url.removesuffix("/v1")
            answer = await self._transport.get(f"{root}/health", self.headers, PROBE_S)
            if answer.status in (404, 405):
                answer = await self._transport.get(f"{url}/models", self.headers, PROBE_S)
        except (Unavailable, Refused):
            return False
        return answer.status < 500

    async def _models(self, url: str) -> str:
        """What models a server has, for an error."""
        try:
            answer = await self._transport.get(f"{url}/models", self.headers, PROBE_S)
            names = [str(model["id"]) for model in json.loads(answer.body)["data"]]
        except (Unavailable, Refused, KeyError, TypeError, ValueError):
            return "It lists no models either: is this the base URL (ending in /v1)?"
        return f"It has: {', '.join(names) or 'none'}. Name one as --model kate/NAME."


def _together(failed: Sequence[Unavailable]) -> Unavailable:
    """One error for the replicas that all failed; the soonest that one asked to wait is waited."""
    if len(failed) == 1:
        return failed[0]
    waits = [ex.retry_after for ex in failed if ex.retry_after is not None]
    return Unavailable(
        f"None of the {len(failed)} replicas answers. " + "; ".join(str(ex) for ex in failed),
        rate_limited=all(ex.rate_limited for ex in failed),
        retry_after=min(waits, default=None),
        lost=all(ex.lost for ex in failed),
    )
