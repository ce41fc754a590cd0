"""The probe: every check at once, each with a time of its own; seeded requests last and one at a time."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import anyio
import httpx
from inspect_ai.model import Model

from kate_eval.endpoints.probe import choices, harness, server, tools
from kate_eval.endpoints.probe.endpoint import UNREACHABLE, Endpoint, Failure, addresses
from kate_eval.endpoints.probe.findings import Finding, Findings, by_check, no, unsure, yes
from kate_eval.errors import ConfigurationError

logger = logging.getLogger(__name__)

SECONDS = 8.0
"""That a check may take, unless told otherwise."""
WARM = 60.0
"""Seconds for the very first request: servers compile what they need at their first ones."""
CHOICES = ("required", "named", "none")
CHECKS = (
    *("server", "model", "context", "LoRA", "choices", "distinct", "prompt counted", "temperature 0, n"),
    *("tools", *tools.ASKED, *(f"tool_choice {kind}" for kind in CHOICES)),
    *("reasoning", "reasoning, n", "usage", "logprobs", "seeds", "prefix cache", "tokenize"),
    *("Inspect: choices", "Inspect: tool calls", "Inspect: reasoning", "Inspect: usage"),
)
"""In the table's order."""

Check = Callable[[], Awaitable[Finding | list[Finding]]]


async def probe(model: Model, base_url: str | None = None, seconds: float = SECONDS) -> Findings:
    """What the endpoint behind a model really does; of several base URLs the first.

    Args:
        model: of any provider; one without a base URL is asked through Inspect alone.
        base_url: as the user gave it.
        seconds: that each check may take.

    Raises:
        ConfigurationError: vllm/ has no URL, so that probing would start a server.
    """
    places = addresses(model, base_url)
    if not places:
        if str(model).startswith("vllm/"):
            raise ConfigurationError(
                "vllm/ without a URL starts a server of its own. Start one (kate serve MODEL) and pass "
                "--model-base-url, or set VLLM_BASE_URL"
            )
        found = await _together(_through_inspect(model, seconds), seconds)
        return _complete(found, "not asked: the provider isn't one of HTTP")
    async with httpx.AsyncClient(timeout=seconds, follow_redirects=True) as client:
        return await _over_http(Endpoint(*places[0], client, seconds), model)


async def _over_http(endpoint: Endpoint, model: Model) -> Findings:
    found = by_check(await server.models(endpoint))
    if _hopeless(found):
        return _complete(found, "not asked")
    await _together({"server": partial(_warm, endpoint)}, WARM)
    checks = _of_server(endpoint) | _through_inspect(model, endpoint.seconds)
    if "context" not in found:
        checks["context"] = partial(server.context, endpoint)
    found |= await _together(checks, endpoint.seconds)
    found |= await _together({"seeds": partial(choices.seeds, endpoint)}, endpoint.seconds)
    return _complete(found, "can't tell")


async def _warm(endpoint: Endpoint) -> Finding:
    patient = replace(endpoint, seconds=WARM)
    await patient.chat("x", n=1, temperature=1.0, max_tokens=2)
    return yes("server", "warm")


def _of_server(endpoint: Endpoint) -> dict[str, Check]:
    checks: dict[str, Check] = {
        "choices": partial(choices.several, endpoint),
        "temperature 0, n": partial(choices.greedy, endpoint),
        "logprobs": partial(choices.logprobs, endpoint),
        "reasoning": partial(choices.reasoning, endpoint),
        "tools": partial(tools.accepted, endpoint),
        "prefix cache": partial(server.prefix_cache, endpoint),
        "tokenize": partial(server.tokenize, endpoint),
    }
    for name in tools.ASKED:
        checks[name] = partial(tools.parsed, endpoint, name)
    for kind in CHOICES:
        checks[f"tool_choice {kind}"] = partial(tools.chosen, endpoint, kind)
    return checks


def _through_inspect(model: Model, seconds: float) -> dict[str, Check]:
    return {
        "Inspect: choices": partial(harness.arrives, model, seconds),
        "Inspect: tool calls": partial(harness.calls, model, seconds),
        "Inspect: reasoning": partial(harness.reasoning, model, seconds),
    }


async def _together(checks: dict[str, Check], seconds: float) -> Findings:
    found: list[Finding] = []

    async def one(name: str, check: Check) -> None:
        try:
            with anyio.fail_after(seconds):
                result = await check()
        except TimeoutError:
            result = unsure(name, f"no answer within {seconds:g} s")
        except Failure as ex:
            result = unsure(name, "the request failed", str(ex))
        except (KeyError, TypeError, ValueError, AttributeError) as ex:  # a server's answer of another shape
            result = unsure(name, "the answer has an unknown shape", f"{type(ex).__name__}: {ex}")
        found.extend(result if isinstance(result, list) else [result])

    async with anyio.create_task_group() as group:
        for name, check in checks.items():
            group.start_soon(one, name, check)
    return by_check(found)


def _hopeless(found: Findings) -> bool:
    """Whether no request can succeed."""
    return any(check in found and found[check].state == "no" for check in ("server", "model"))


def _complete(found: Findings, why: str) -> Findings:
    """All checks in their order; those without a finding say why."""
    return {check: found.get(check) or unsure(check, why) for check in CHECKS}


async def glance(model: Model, base_url: str | None, seconds: float, with_tools: bool) -> Findings:
    """The few checks that a run needs before its first sample: its list of models, a request with tools.

    Of several base URLs, those at which nobody answers are left out, as the provider leaves them out; one
    that answers and refuses decides, for its share of the requests would fail.
    """
    async with httpx.AsyncClient(timeout=seconds, follow_redirects=True) as client:
        endpoints = [Endpoint(*place, client, seconds) for place in addresses(model, base_url)]
        seen: dict[int, Findings] = {}

        async def look(number: int) -> None:
            seen[number] = await _is_there(endpoints[number])

        async with anyio.create_task_group() as group:
            for number in range(len(endpoints)):
                group.start_soon(look, number)
        there = [number for number in sorted(seen) if not _is_gone(seen[number])]
        if not there:
            return _all_gone([seen[number] for number in sorted(seen)])
        for number in sorted(seen.keys() - set(there)):
            logger.warning("Left out until it answers: %s", seen[number]["server"].says)
        refusing = [number for number in there if _hopeless(seen[number])]
        answering = [number for number in there if seen[number]["server"].state == "yes"]
        chosen = (refusing or answering or there)[0]
        found = seen[chosen]
        if with_tools and not _hopeless(found):
            checks: dict[str, Check] = {"tools": partial(tools.accepted, endpoints[chosen])}
            found |= await _together(checks, seconds)
        return found


async def _is_there(endpoint: Endpoint) -> Findings:
    try:
        with anyio.fail_after(endpoint.seconds):
            return by_check(await server.models(endpoint))
    except TimeoutError:
        return by_check([unsure("server", f"no answer within {endpoint.seconds:g} s")])


def _is_gone(found: Findings) -> bool:
    """Whether nobody answers there."""
    return found["server"].evidence == UNREACHABLE


def _all_gone(found: list[Findings]) -> Findings:
    """One finding that names all places at which nobody answers."""
    if not found:
        return {}
    says = dict.fromkeys(one["server"].says for one in found)
    return by_check([no("server", " | ".join(says), UNREACHABLE)])
