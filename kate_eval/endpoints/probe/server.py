"""Checks of the server itself: its models, context, adapters, prefix cache and tokenizer."""

import re

from kate_eval.endpoints.probe.endpoint import CERTAIN, Endpoint, Failure, Json, read_json
from kate_eval.endpoints.probe.findings import Finding, no, unsure, yes

LISTED = 20
"""Names that are shown of what a server has."""
ROOM = 16_384
"""Tokens that an entry of many turns with its tools, and a critic's request, can take."""
CONTEXT = re.compile(r"(?:context length|max_model_len|maximum context)\D{0,40}?(\d{3,})")
CACHE_HITS = re.compile(r"^vllm:(?:gpu_)?prefix_cache_hits(?:_total)?(?:\{[^}]*\})? ([\d.e+]+)", re.M)
LONG = "The quick brown fox jumps over the lazy dog, and then it goes home to sleep. " * 30


async def models(endpoint: Endpoint) -> list[Finding]:
    """Whether the server is there and has the model, its context and its adapters."""
    try:
        listed = read_json(await endpoint.get("models")).get("data")
    except Failure as ex:
        if ex.kind in CERTAIN:
            return [no("server", str(ex), ex.kind)]
        can_not = unsure("model", "the server does not list its models", str(ex))
        return [unsure("server", f"/models: {ex}"), can_not]
    entries = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    names = [str(entry.get("id")) for entry in entries]
    found = [yes("server", "answers", endpoint.base_url), _known(endpoint.model, names)]
    entry = next((e for e in entries if e.get("id") == endpoint.model), {})
    if isinstance(length := entry.get("max_model_len"), int):
        found.append(_room(length, "max_model_len in /models"))
    adapters = [str(e.get("id")) for e in entries if e.get("parent")]
    shown = ", ".join(adapters[:LISTED]) or "none"
    found.append(Finding("LoRA", "yes" if adapters else "no", f"adapters: {shown}", "parent in /models"))
    return found


def _known(model: str, names: list[str]) -> Finding:
    shown = ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
    if not names:
        return unsure("model", "the server lists no models")
    if model in names:
        return yes("model", f"the server has {model}", shown)
    remedy = f"Use one of these names: {shown}; or start the server with --served-model-name {model}"
    return no("model", f"the server has no model {model!r}", f"it has: {shown}", remedy)


def _room(tokens: int, evidence: str) -> Finding:
    if tokens < ROOM:
        remedy = f"Start vLLM with --max-model-len {ROOM} or more"
        return no("context", f"{tokens:,} tokens only", evidence, remedy)
    return yes("context", f"{tokens:,} tokens", evidence)


async def context(endpoint: Endpoint) -> Finding:
    """The context window by the words of an error: a request for more new tokens than any has."""
    try:
        await endpoint.chat("x", max_tokens=100_000_000, n=1, stream=False)
    except Failure as ex:
        if ex.kind == "refused" and (match := CONTEXT.search(str(ex))):
            return _room(int(match[1]), str(ex))
        return unsure("context", "the server does not tell it", str(ex))
    return unsure("context", "the server does not tell it")


async def prefix_cache(endpoint: Endpoint) -> Finding:
    """Whether the same prompt, asked again, is read from the cache."""
    check = "prefix cache"
    before = await _hits(endpoint)
    for _ in range(2):
        usage = (await endpoint.chat(LONG, max_tokens=1)).get("usage")
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    if cached:
        return yes(check, "on, and told in usage", f"{cached} cached tokens of a prompt asked twice")
    after = await _hits(endpoint)
    if before is not None and after is not None:
        evidence = f"/metrics: prefix_cache_hits {before:g} -> {after:g}"
        if after > before:
            return Finding(
                check,
                "yes",
                "on, but not told in usage",
                evidence,
                "To see it in usage start vLLM with --enable-prompt-tokens-details",
            )
        return no(check, "no hit", evidence, "Start vLLM with --enable-prefix-caching")
    if cached == 0:
        return no(check, "no cached tokens of a prompt asked twice", str(details))
    return unsure(check, "the server does not tell", "no cached tokens in usage, no /metrics")


async def _hits(endpoint: Endpoint) -> float | None:
    try:
        found = CACHE_HITS.findall((await endpoint.get("/metrics")).text)
    except Failure:
        return None
    return sum(map(float, found)) if found else None


async def tokenize(endpoint: Endpoint) -> Finding:
    """VLLM's /tokenize."""
    try:
        answer: Json = await endpoint.post("/tokenize", {"model": endpoint.model, "prompt": "one two three"})
    except Failure as ex:
        if ex.kind in ("refused", "not an API"):
            return no("tokenize", "no /tokenize", str(ex))
        raise
    return yes("tokenize", "/tokenize answers", f"{answer.get('count')} tokens of three words")
