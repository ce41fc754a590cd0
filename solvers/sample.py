"""Sampling: from the conversation to the candidates of one step.

Source: KATE, section 3.3 (arXiv 2606.10875): n choices of one request, or one request for each of
several perspectives. How many choices adaptive width takes: adaptive.py.
"""

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageUser,
    GenerateConfig,
    ModelOutput,
)

from kate_eval.counters import unasked
from kate_eval.errors import EndpointError
from kate_eval.solvers.adaptive import Rule, ballots
from kate_eval.solvers.candidate import Candidate, make_candidate
from kate_eval.solvers.context import Context, gather, race
from kate_eval.solvers.parameters import DEPTHS, prompt
from kate_eval.solvers.spending import Spending

Sampler = Callable[[Context], Coroutine[Any, Any, list[Candidate]]]


async def choices(context: Context) -> list[Candidate]:
    """`width` candidates of one prompt; with adaptive width, as many as the vote needs.

    Raises:
        EndpointError: an answer held no choices.
    """
    width, rule = context.parameters.width, Rule(context.parameters.confidence)
    spending = Spending(context.counters)
    candidates = _decode(context, await _batch(context, width.first, 0))
    spending.first_round(full_requests=width.most if context.one_choice else 1)
    prompt, each = spending.prompt / spending.requests, spending.output / len(candidates)
    while missing := rule.missing(ballots(candidates), width.most - len(candidates)):
        if context.one_choice or prompt < each:
            candidates += await _side_by_side(context, missing, candidates)
            continue
        left = width.most - len(candidates)
        # Where a prompt costs more than all that is left to ask, one more round is the cheapest.
        count = missing if prompt < left * each else left
        candidates += _decode(context, await _batch(context, count, len(candidates)))
    spending.finish(width, len(candidates))
    return candidates


async def _batch(context: Context, count: int, have: int) -> list[ChatCompletionChoice]:
    """One request with n choices, topped up by single ones where fewer came back.

    Args:
        context: of the sample.
        count: choices to get.
        have: candidates of this step that came before.
    """
    messages, config = _request(context)
    received: list[ChatCompletionChoice] = []
    if not context.one_choice:
        asked = config.model_copy(update={"num_choices": count}) if count > 1 else config
        output = await context.ask(messages, context.episode.tools, asked, variant=have)
        received = output.choices[:count]
        context.one_choice = len(received) < count or unasked(output) > 0
    more = await gather(
        *(
            context.ask(messages, context.episode.tools, config, variant=have + number)
            for number in range(len(received), count)
        )
    )
    return received + [output.choices[0] for output in more]


async def _side_by_side(context: Context, missing: int, have: Sequence[Candidate]) -> list[Candidate]:
    """Single requests, twice as many as could settle the vote; once it is settled, the others are cancelled.

    For servers that give one choice a request, and where a prompt that is sent again costs less than a
    candidate (most of it is in the prefix cache): then a step needn't wait for the slowest candidate.
    """
    messages, config = _request(context)
    width, rule = context.parameters.width, Rule(context.parameters.confidence)

    async def one(variant: int) -> Candidate:
        output = await context.ask(messages, context.episode.tools, config, variant=variant)
        return _decode(context, output.choices[:1])[0]

    def enough(arrived: Sequence[Candidate]) -> bool:
        candidates = [*have, *arrived]
        return rule.settled(ballots(candidates), width.most - len(candidates))

    count = min(2 * missing, width.most - len(have))
    answered = context.counters.requests
    arrived = await race([partial(one, len(have) + number) for number in range(count)], enough)
    context.counters.cancelled += count - (context.counters.requests - answered)
    return arrived


def _request(context: Context) -> tuple[list[ChatMessage], GenerateConfig]:
    several = context.parameters.width.most > 1
    config = GenerateConfig(temperature=_temperature(context, several))
    return deepened(context, context.parameters.depth), config


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
    """The parameter, else the run's (--temperature), else 1 for several choices, the task's 0 for one."""
    if context.parameters.temperature is not None or not several:
        return context.parameters.temperature
    own = context.policy.config.temperature
    return 1.0 if own is None else own


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
