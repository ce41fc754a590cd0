"""Sampling: from the conversation to the candidates of one step.

Source: KATE, section 3.3 (arXiv 2606.10875): n choices of one request, or one request for each of
several perspectives.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageUser,
    GenerateConfig,
    ModelOutput,
)

from kate_eval.errors import EndpointError
from kate_eval.solvers.candidate import Candidate, make_candidate
from kate_eval.solvers.context import Context, gather
from kate_eval.solvers.parameters import DEPTHS, prompt

Sampler = Callable[[Context], Coroutine[Any, Any, list[Candidate]]]


async def choices(context: Context) -> list[Candidate]:
    """`width` candidates of one prompt: one request with n choices, topped up where fewer came back.

    Raises:
        EndpointError: an answer held no choices.
    """
    width = context.parameters.width
    messages = deepened(context, context.parameters.depth)
    config = GenerateConfig(temperature=_temperature(context, several=width > 1))
    received: list[ChatCompletionChoice] = []
    if not context.one_choice:
        asked = config.model_copy(update={"num_choices": width}) if width > 1 else config
        output = await context.ask(messages, context.episode.tools, asked)
        received = output.choices[:width]
        context.one_choice = len(received) < width
    missing = width - len(received)
    if missing:
        more = await gather(
            *(
                context.ask(messages, context.episode.tools, config, variant=len(received) + number)
                for number in range(missing)
            )
        )
        context.counters.extra_requests += missing - (0 if received else 1)
        received += [output.choices[0] for output in more]
    return _decode(context, received)


async def perspectives(context: Context) -> list[Candidate]:
    """One candidate for each of: the plain prompt, and the state, reflection and intent prompts.

    At temperature 0 unless told otherwise; `width` is not used.
    """
    config = GenerateConfig(temperature=_temperature(context, several=False))
    outputs: Sequence[ModelOutput] = await gather(
        *(context.ask(deepened(context, depth), context.episode.tools, config) for depth in ("none", *DEPTHS))
    )
    context.counters.extra_requests += len(outputs) - 1
    return _decode(context, [output.choices[0] for output in outputs])


SAMPLERS: dict[str, Sampler] = {"choices": choices, "perspectives": perspectives}


def deepened(context: Context, depth: str) -> list[ChatMessage]:
    """The conversation, with a depth prompt as one extra user message. It is not kept in the history."""
    if depth == "none":
        return context.conversation
    return [*context.conversation, ChatMessageUser(content=prompt(depth).template)]


def _temperature(context: Context, several: bool) -> float | None:
    """The parameter, else 1 for several choices, else what the run says (--temperature, or the task's 0)."""
    if context.parameters.temperature is None and several:
        return 1.0
    return context.parameters.temperature


def _decode(context: Context, received: Sequence[ChatCompletionChoice]) -> list[Candidate]:
    if not received:
        raise EndpointError("the endpoint returned no candidates")
    parameters, place = context.parameters, len(context.conversation)
    candidates = [
        make_candidate(choice.message, context.episode, parameters.one_call, parameters.recover, place)
        for choice in received
    ]
    context.counters.candidates += len(candidates)
    context.counters.recovered += sum(c.recovered is not None for c in candidates)
    context.counters.parse_failures += sum(c.action.error is not None for c in candidates)
    return candidates
