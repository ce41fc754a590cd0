"""Checks of what a request can bring: several choices, usage, log probabilities, seeds, reasoning."""

from typing import Any

from kate_eval.endpoints.probe.endpoint import Endpoint, Failure, Json
from kate_eval.endpoints.probe.findings import Finding, no, unsure, yes

WIDTH = 4
RANDOM = "Write a random number of nine digits, and nothing else."
THINK = "What is 17 * 3? Think first."
THINKING = ("<think>", "</think>", "<|channel|>analysis", "[THINK]")


def texts(answer: Json) -> list[str]:
    """The choices' texts, with reasoning and calls, as one string each."""
    return [str((c.get("message") or {}).get("content") or c.get("message")) for c in answer["choices"]]


def shown(values: list[str], most: int = 60) -> str:
    """Texts for a table's cell."""
    return " | ".join(repr(value[:most]) for value in values)


async def several(endpoint: Endpoint) -> list[Finding]:
    """Several choices of one request, whether they differ, and how usage counts them."""
    remedy = "Width asks again for what is missing, at the cost of the prompt each time"
    try:
        answer = await endpoint.chat(RANDOM, n=WIDTH, temperature=1.0, max_tokens=12)
    except Failure as ex:
        if ex.kind == "refused":
            return [no("choices", f"n={WIDTH} is refused", str(ex), remedy)]
        raise
    found = texts(answer)
    if len(found) < WIDTH:
        says = f"n={WIDTH} brings {len(found)}"
        return [no("choices", says, shown(found), remedy), *await usage(endpoint, None)]
    first = yes("choices", f"n={WIDTH} brings {len(found)}", shown(found))
    if len(set(found)) > 1:
        distinct = yes("distinct", f"{len(set(found))} of {len(found)} differ at temperature 1")
    else:
        help_ = "Send no fixed seed or temperature: check the server's --override-generation-config"
        distinct = no("distinct", "all choices are equal at temperature 1", shown(found[:1]), help_)
    return [first, distinct, *await usage(endpoint, answer)]


async def usage(endpoint: Endpoint, wide: Json | None) -> list[Finding]:
    """Whether usage is told, and whether the prompt of several choices counts once."""
    single = (await endpoint.chat(RANDOM, temperature=1.0, max_tokens=1)).get("usage")
    if not isinstance(single, dict) or not isinstance(one := single.get("prompt_tokens"), int):
        remedy = "Tokens can't be counted in the log; limits on tokens don't bind"
        return [no("usage", "no usage in the answer", str(single), remedy)]
    found = [yes("usage", "told", f"{one} prompt tokens")]
    many = (wide or {}).get("usage")
    if isinstance(many, dict) and isinstance(total := many.get("prompt_tokens"), int):
        evidence = f"{one} for one choice, {total} for {WIDTH}"
        once = total < 1.5 * one
        says = "once for all choices" if once else "for each choice"
        found.append(Finding("prompt counted", "yes" if once else "no", says, evidence))
    return found


async def greedy(endpoint: Endpoint) -> Finding:
    """Temperature 0 with several choices: an error of vLLM, or equal choices."""
    try:
        answer = await endpoint.chat(RANDOM, n=2, temperature=0.0, max_tokens=8)
    except Failure as ex:
        if ex.kind == "refused":
            return no("temperature 0, n", "refused (width > 1 needs a temperature)", str(ex))
        raise
    found = texts(answer)
    return yes("temperature 0, n", f"n=2 brings {len(found)}, {len(set(found))} distinct", shown(found))


async def logprobs(endpoint: Endpoint) -> Finding:
    """Log probabilities of the tokens."""
    try:
        answer = await endpoint.chat(RANDOM, logprobs=True, top_logprobs=1, max_tokens=2)
    except Failure as ex:
        if ex.kind == "refused":
            return no("logprobs", "refused", str(ex))
        raise
    content = (answer["choices"][0].get("logprobs") or {}).get("content")
    if content:
        return yes("logprobs", "told", f"{len(content)} tokens")
    return no("logprobs", "asked for, not told")


async def seeds(endpoint: Endpoint) -> Finding:
    """The same seed twice. One after the other, alone: vLLM's CPU build dies of several at once."""
    one, two = [
        texts(await endpoint.chat(RANDOM, temperature=1.0, max_tokens=12, seed=1234))[0] for _ in range(2)
    ]
    if one == two:
        return yes("seeds", "the same seed gives the same text", shown([one]))
    return no("seeds", "the same seed gives another text", shown([one, two]))


async def reasoning(endpoint: Endpoint) -> list[Finding]:
    """Whether reasoning comes apart from the text, for one choice and for several."""
    try:
        answer = await endpoint.chat(THINK, n=2, temperature=1.0, max_tokens=48)
    except Failure as ex:
        if ex.kind != "refused":
            raise
        answer = await endpoint.chat(THINK, temperature=1.0, max_tokens=48)
    messages: list[dict[str, Any]] = [choice.get("message") or {} for choice in answer["choices"]]
    apart = [str(m.get("reasoning_content") or m.get("reasoning") or "") for m in messages]
    inline = [
        text for m in messages if any(mark in (text := str(m.get("content") or "")) for mark in THINKING)
    ]
    if inline:
        remedy = "Start vLLM with --reasoning-parser (for instance qwen3)"
        return [no("reasoning", "inside the text: no reasoning parser", shown(inline[:1]), remedy)]
    if not any(apart):
        return [unsure("reasoning", "the model wrote none", shown([str(m.get("content")) for m in messages]))]
    found = [yes("reasoning", "apart from the text", shown(apart[:1]))]
    if len(messages) > 1:
        state = all(apart)
        says = f"{sum(map(bool, apart))} of {len(apart)} choices have it"
        found.append(Finding("reasoning, n", "yes" if state else "no", says))
    return found
