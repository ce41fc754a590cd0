"""Why a server of vLLM's ended or did not start, as far as its log tells, and what to do about it."""

import re

KILLED = 137
CAUSES = (
    (
        r"CPU Generator does not use offset",
        "vLLM's CPU build dies of concurrent requests with a seed. Leave --seed out of the eval.",
    ),
    (
        r"CUDA out of memory|OutOfMemoryError|torch\.cuda\.OutOfMemory",
        "The GPU's memory is used up. Give vLLM less or split the model: -- --gpu-memory-utilization 0.8, "
        "--max-model-len 8192, --tensor-parallel-size 2.",
    ),
    (
        r"No available memory for the cache blocks|Available memory on node .* is less than"
        r"|Cannot allocate memory|MemoryError|can't allocate memory|std::bad_alloc"
        r"|larger than the available KV cache memory"
        r"|less than desired (?:GPU|CPU) memory utilization",
        "There is too little memory for the model and its cache. Give the context less room "
        "(-- --max-model-len 8192), take fewer --replicas or a smaller model; on CPU "
        "VLLM_CPU_KVCACHE_SPACE is the cache's size in GiB.",
    ),
    (
        r"Address already in use|address already in use",
        "The port is taken. Choose another: --port 8100.",
    ),
    (
        r"error: (unrecognized arguments: .*|argument .*)",
        "vLLM does not take that flag (what stands after --). Its flags: PYTHON -m "
        "vllm.entrypoints.openai.api_server --help.",
    ),
    (
        r"invalid tool call parser|invalid reasoning parser|Tool parser '.*' not found",
        "This vLLM has no such parser; the line names those it has. Give one after --.",
    ),
    (
        r"greater than the derived max_model_len|is greater than the derived",
        "The context is longer than the model's own. Give a shorter one: -- --max-model-len N.",
    ),
    (
        r"LoRA rank \d+ is greater than|does not support LoRA|unsupported LoRA|not supported with LoRA",
        "The adapter can't be served with this model or these flags (-- --max-lora-rank N).",
    ),
    (
        r"GatedRepoError|401 Client Error|403 Client Error",
        "The hub refuses the model to you. Accept its licence there and set HF_TOKEN.",
    ),
    (
        r"LocalEntryNotFoundError|offline mode is enabled|We couldn't connect to"
        r"|Can't load the configuration",
        "The hub can't be reached. Check the network (HTTPS_PROXY; HF_ENDPOINT for a mirror) or serve a "
        "local folder.",
    ),
    (
        r"are not supported for now|architectures .* (?:failed|not supported)|has no vLLM implementation",
        "This vLLM does not know the model's architecture. Use a newer one: --env DIR.",
    ),
    (
        r"SafetensorError|header too large|incomplete metadata",
        "A file of weights is damaged. Copy or download the model again.",
    ),
    (r"No module named '?vllm", "That environment has no vLLM. Name another: --env DIR."),
)
"""Pattern of a line -> what to do. The first that fits is taken, of the earliest causes first."""


def explain(log: str, code: int | None) -> str:
    """What the log of a server that ended tells of the cause; empty if nothing is known.

    Args:
        log: its last lines.
        code: its exit code, or None while it runs.
    """
    for pattern, remedy in CAUSES:
        found = re.search(pattern, log)
        if found:
            line = log[log.rfind("\n", 0, found.start()) + 1 :].partition("\n")[0]
            return f"{line.strip()[-300:]}\n{remedy}"
    if code == KILLED:
        return (
            "It was killed, as the system does when memory is used up. Take a smaller model, fewer "
            "--replicas or a shorter context (-- --max-model-len 8192)."
        )
    return ""
