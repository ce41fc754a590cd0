"""Attempts at one call: how many, for how long, and how long to wait between them.

Inspect runs them (its limits, its display, its log); we say what is worth another and when to give up.
"""

import random
import time
from contextvars import ContextVar
from dataclasses import dataclass, field

from inspect_ai.model import ChatMessage, GenerateConfig
from tenacity import RetryCallState
from tenacity.wait import wait_base

from kate_eval.endpoints.openai.failures import Unavailable
from kate_eval.endpoints.openai.replicas import Replica

FIRST_S, LONGEST_S = 0.5, 30.0


@dataclass
class Attempts:
    """What was tried for one call; Inspect calls the provider again for each attempt.

    Attributes:
        input: the call's messages: its attempts share them, and no other call's do.
        began: when the first attempt began.
        count: attempts so far.
        waiting: replicas that have not answered the latest attempt.
        slow: URLs of those that did not answer an attempt in time.
    """

    input: list[ChatMessage]
    began: float = field(default_factory=time.monotonic)
    count: int = 0
    waiting: set[Replica] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)

    def used_up(self, config: GenerateConfig, patience_s: float) -> bool:
        """Whether the latest attempt was the last. Inspect would stop too, but not say why."""
        limits = [config.timeout is not None and self._seconds >= config.timeout]
        limits.append(config.max_retries is not None and self.count > config.max_retries)
        if config.timeout is None and config.max_retries is None:
            limits.append(self._seconds >= patience_s)
        return any(limits)

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self.began


_running: ContextVar[Attempts | None] = ContextVar("kate_attempts", default=None)


def next_attempt(input: list[ChatMessage]) -> Attempts:
    """Count an attempt at the call with these messages.

    What the latest attempt still waited for when Inspect gave it up becomes slow.
    """
    attempts = _running.get()
    if attempts is None or attempts.input is not input:
        attempts = Attempts(input)
        _running.set(attempts)
    attempts.count += 1
    attempts.slow |= {replica.url for replica in attempts.waiting}
    return attempts


def end_attempts() -> None:
    """The call has its answer or its last error; another may bring the same list of messages."""
    _running.set(None)


class Wait(wait_base):
    """Half a second, then twice as long each time up to 30 s; longer where the server says so."""

    def __call__(self, retry_state: RetryCallState) -> float:
        """Seconds until the next attempt."""
        backoff = min(FIRST_S * 2.0 ** min(retry_state.attempt_number - 1, 10), LONGEST_S)
        ex = retry_state.outcome.exception() if retry_state.outcome else None
        asked = ex.retry_after if isinstance(ex, Unavailable) else None
        seconds: float = backoff + random.uniform(0, FIRST_S)
        return max(seconds, asked or 0.0)
