"""What the parts of the loop share within one sample, and the one way they ask a model."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import anyio.abc
from inspect_ai.model import (
    CachePolicy,
    ChatMessage,
    GenerateConfig,
    Model,
    ModelOutput,
)
from inspect_ai.tool import ToolInfo
from inspect_ai.util import LimitExceededError, collect, span

from kate_eval.counters import Counters, Role
from kate_eval.episode import Episode
from kate_eval.errors import EndpointError
from kate_eval.solvers.parameters import Parameters
from kate_eval.solvers.window import TRIES, Window, overflowed

T = TypeVar("T")


@dataclass
class Context:
    """One sample being solved."""

    episode: Episode
    parameters: Parameters
    counters: Counters
    policy: Model
    critic: Model
    conversation: list[ChatMessage] = field(default_factory=list)
    window: Window = field(default_factory=Window)
    one_choice: bool = False
    """Whether this endpoint was seen to ignore the number of choices."""

    async def ask(
        self,
        messages: Sequence[ChatMessage],
        tools: Sequence[ToolInfo],
        config: GenerateConfig,
        *,
        role: Role = "policy",
        variant: int = 0,
    ) -> ModelOutput:
        """One request, counted.

        Args:
            messages: the conversation to send.
            tools: the tools to offer.
            config: what differs from the model's own configuration.
            role: what is asked for; "critic" asks the model in that role, all others the policy.
            variant: number of the request among otherwise equal ones. It keeps a cache from answering
                them all alike, and a fixed seed from making them all alike.

        Raises:
            EndpointError: the answer holds no choices, or the context is too short for what must stay.
        """
        model = self.critic if role == "critic" else self.policy
        own = model.config
        if variant:
            if own.seed is not None:
                config = config.model_copy(update={"seed": own.seed + variant})
            if own.cache:
                config = config.model_copy(update={"cache": _scoped(own.cache, variant)})
        for _ in range(TRIES):
            output = await model.generate(self.window.fit(messages), tools=list(tools), config=config)
            self.counters.add_request(role, output)
            left_out = self.window.shrink() if overflowed(output) else 0
            self.counters.outputs_left_out += left_out
            if not left_out:
                break
        if overflowed(output):
            raise EndpointError(
                f"The context of {model} is too short for this sample, older outputs left out: "
                f"{output.error or output.completion}. Serve it with a longer one (vLLM: --max-model-len)"
            )
        if not output.choices:
            detail = f": {output.error}" if output.error else ""
            raise EndpointError(f"{model} answered without any choice{detail}")
        return output


def _scoped(cache: bool | CachePolicy, variant: int) -> CachePolicy:
    policy = cache if isinstance(cache, CachePolicy) else CachePolicy()
    return policy.model_copy(update={"scopes": {**policy.scopes, "candidate": str(variant)}})


async def gather(*tasks: Awaitable[T]) -> list[T]:
    """Run in parallel; of several errors the one that tells most is raised, not a group of them."""
    with _one_error():
        return await collect(*tasks)


async def race(
    tasks: Sequence[Callable[[], Coroutine[Any, Any, T]]], enough: Callable[[Sequence[T]], bool]
) -> list[T]:
    """Run in parallel until the results that arrived are enough; what still runs then is cancelled.

    Returns:
        the results in the order in which they arrived. Cancelling a request closes its connection,
        at which servers such as vLLM stop generating.
    """
    arrived: list[T] = []

    async def run(number: int, group: anyio.abc.TaskGroup) -> None:
        async with span(f"task-{number + 1}", type="task"):
            result = await tasks[number]()
        if group.cancel_scope.cancel_called:  # it came in the same moment as what was enough
            return
        arrived.append(result)
        if enough(arrived):
            group.cancel_scope.cancel()

    with _one_error():
        async with anyio.create_task_group() as group:
            for number in range(len(tasks)):
                group.start_soon(run, number, group)
    return arrived


@contextmanager
def _one_error() -> Iterator[None]:
    try:
        yield
    except BaseExceptionGroup as group:
        leaves = list(_leaves(group))
        # A limit ends the sample with a score, so it must be seen as one.
        raise next((ex for ex in leaves if isinstance(ex, LimitExceededError)), leaves[0]) from group


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for ex in group.exceptions:
        if isinstance(ex, BaseExceptionGroup):
            yield from _leaves(ex)
        else:
            yield ex
