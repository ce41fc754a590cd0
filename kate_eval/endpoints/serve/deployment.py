"""Replicas of one model, from their start to their end. `kate serve` and tests use it.

with serving(Options(model="models/tiny", replicas=2)) as deployment:
    eval(..., model=f"kate/{deployment.model}", model_base_url=",".join(deployment.base_urls))
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from kate_eval import installation
from kate_eval.endpoints.serve.environment import provide, variables
from kate_eval.endpoints.serve.families import choose
from kate_eval.endpoints.serve.inspection import Installed, installed
from kate_eval.endpoints.serve.model import Facts, adapter_rank, read_hub, read_local
from kate_eval.endpoints.serve.options import Options
from kate_eval.endpoints.serve.server import Server, check_port, wait_until_ready
from kate_eval.errors import ConfigurationError, ServerError
from kate_eval.installation import Say

GIB = 2**30
OVERHEAD = 2 * GIB
"""Memory that a server on CPU takes beside weights and cache."""
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as --max-lora-rank."""
MAX_CACHE_GIB = 8


@dataclass(frozen=True)
class Deployment:
    """Servers that are ready."""

    servers: tuple[Server, ...]
    model: str
    """The name to ask for."""
    adapters: tuple[str, ...]
    """Likewise of each adapter."""

    @property
    def base_urls(self) -> list[str]:
        """Each with /v1."""
        return [server.base_url for server in self.servers]

    @property
    def running(self) -> list[Server]:
        """The servers that have not ended."""
        return [server for server in self.servers if server.code is None]


@contextmanager
def serving(options: Options, say: Say = lambda line: None) -> Iterator[Deployment]:
    """Run servers until the block ends, however it ends; if this process dies, they end too.

    Args:
        options: what to serve.
        say: shows a line of progress.

    Raises:
        ConfigurationError: the model, an adapter, a port or the number of replicas can't be used.
        InstallationError: there is no vLLM that starts, and none can be installed.
        ServerError: a server did not get ready; the message holds its last lines and, if known, the cause.
    """
    # What can be refused is refused before anything is installed.
    local = read_local(options.model)
    ranks = [adapter_rank(folder) for folder in options.adapters]
    for number in range(options.replicas):
        check_port(options.host, options.port + number)
    python = provide(options.env, say)
    facts = local or read_hub(options.model, python)
    say(f"Asking {python} what it has.")
    servers = plan(options, python, facts, installed(python), ranks, say)
    with ExitStack() as stack:
        stack.callback(_stop, servers)
        for batch in _batches(servers, facts, installed(python), say):
            for server in batch:
                server.start()
                say(f"Starting {server.base_url}, log: {server.log}")
            wait_until_ready(batch, options.timeout, say)
        yield _ready(tuple(servers))


def plan(
    options: Options, python: Path, facts: Facts, vllm: Installed, ranks: Sequence[int], say: Say
) -> list[Server]:
    """The servers to start: their commands and environments."""
    choice = choose(facts, vllm, options)
    for note in choice.notes:
        say(note)
    flags = [*choice.flags, *_adapter_flags(options, ranks), *_cpu_flags(options, vllm), *options.flags]
    if not options.has("--served-model-name"):
        flags = ["--served-model-name", facts.name, *flags]
    environments = _environments(options.replicas, vllm, facts)
    folder = options.log_folder or installation.cache() / "vllm" / "logs"
    servers = []
    for number, environment in enumerate(environments):
        port = options.port + number
        place = ["--host", options.host, "--port", str(port)]
        command = [
            str(python),
            "-m",
            "vllm.entrypoints.openai.api_server",
            "--model",
            facts.path,
            *place,
            *flags,
        ]
        key = options.value("--api-key") or environment.get("VLLM_API_KEY")
        servers.append(Server(tuple(command), environment, options.host, port, folder / f"{port}.log", key))
    return servers


def _adapter_flags(options: Options, ranks: Sequence[int]) -> list[str]:
    """That serve adapters under their folders' names."""
    if not options.adapters:
        return []
    folders = {folder.resolve().name: folder.resolve() for folder in options.adapters}
    if len(folders) < len(options.adapters):
        raise ConfigurationError(
            f"Two adapters' folders have one name (of: {', '.join(folders)}): rename one"
        )
    rank = next((rank for rank in RANKS if rank >= max(ranks)), None)
    if rank is None:
        raise ConfigurationError(f"An adapter's rank is {max(ranks)}; vLLM serves up to {RANKS[-1]}")
    own = [] if options.has("--max-lora-rank") else ["--max-lora-rank", str(rank)]
    return ["--enable-lora", *own, "--lora-modules", *(f"{name}={path}" for name, path in folders.items())]


def _cpu_flags(options: Options, vllm: Installed) -> list[str]:
    """On a CPU compiling takes minutes, and the whole context of a model often does not fit."""
    if not vllm.cpu:
        return []
    compiled = options.has("--enforce-eager", "--no-enforce-eager", "--compilation-config", "-O", "-cc")
    eager = [] if compiled else ["--enforce-eager"]
    return eager if options.has("--max-model-len") else [*eager, "--max-model-len", "auto"]


def _environments(replicas: int, vllm: Installed, facts: Facts) -> list[dict[str, str]]:
    """Each server's variables: its share of the GPUs, or of the memory and cores."""
    base = {"VLLM_NO_USAGE_STATS": "1"} | variables()
    if not vllm.cpu:
        return [base | {"CUDA_VISIBLE_DEVICES": share} for share in _gpus(replicas, vllm)]
    cache = {"VLLM_CPU_KVCACHE_SPACE": str(_cache_gib(replicas, facts))}
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if not 1 < replicas <= len(cores):
        return [cache | base] * replicas
    shares = [",".join(map(str, cores[number::replicas])) for number in range(replicas)]
    return [cache | {"VLLM_CPU_OMP_THREADS_BIND": share} | base for share in shares]


def _gpus(replicas: int, vllm: Installed) -> list[str]:
    """Each server's GPUs, neighbours together."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = [name for name in chosen.split(",") if name] if chosen is not None else []
    gpus = found or [str(number) for number in range(vllm.devices)]
    each = len(gpus) // replicas
    if not each:
        raise ConfigurationError(
            f"--replicas {replicas}: this machine has {len(gpus)} GPUs, and each replica needs one"
        )
    return [",".join(gpus[number * each : (number + 1) * each]) for number in range(replicas)]


def _cache_gib(replicas: int, facts: Facts) -> int:
    """GiB of each server's cache on CPU: half of what is left beside weights and overhead, within bounds."""
    share = psutil.virtual_memory().available / replicas - facts.size - OVERHEAD
    return max(1, min(MAX_CACHE_GIB, int(share / 2 / GIB)))


def _batches(servers: list[Server], facts: Facts, vllm: Installed, say: Say) -> list[list[Server]]:
    """Which servers start together: all where memory surely suffices, else one after the other."""
    caches = [int(server.environment.get("VLLM_CPU_KVCACHE_SPACE") or 0) * GIB for server in servers]
    need = sum(caches) + len(servers) * (facts.size + OVERHEAD)
    if not vllm.cpu or len(servers) == 1 or (facts.size and need <= psutil.virtual_memory().available):
        return [servers]
    say("Starting one after the other: together they might need more memory than is free.")
    return [[server] for server in servers]


def _ready(servers: tuple[Server, ...]) -> Deployment:
    """What the first server says it serves."""
    found = servers[0].models()
    models = [str(item["id"]) for item in found if not item.get("parent")]
    if not models:
        raise ServerError(f"{servers[0].base_url} serves no model. {servers[0].last_lines()}")
    return Deployment(servers, models[0], tuple(str(item["id"]) for item in found if item.get("parent")))


def _stop(servers: Sequence[Server]) -> None:
    for server in servers:
        server.begin_stop()
    for server in servers:
        server.finish_stop()
