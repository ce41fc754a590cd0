"""What can be found out only when a run begins: that it can't be right. It then ends before its first sample.

Inspect tells a solver's factory neither the task nor --max-samples, and an error in the solver itself would
come once a sample, after the sample's environment was opened. A hook is told both in time. The one error
that Inspect lets through from a hook is a limit's.
"""

from collections.abc import Mapping, Sequence, Set
from functools import cache
from pathlib import Path
from typing import Any

import anyio
from inspect_ai.hooks import Hooks, RunEnd, TaskStart, hooks
from inspect_ai.util import LimitExceededError

from kate_eval.endpoints.probe.needs import Need
from kate_eval.endpoints.probe.preflight import EndpointCheck, is_off
from kate_eval.errors import BankError, ConfigurationError, EndpointError, KateError
from kate_eval.knowledge.card import LEXICAL, Card
from kate_eval.knowledge.embed import EndpointEmbedder, encode, make_embedder
from kate_eval.knowledge.folder import is_bank, read_card
from kate_eval.knowledge.scenario import benchmark_of
from kate_eval.solvers.needs import CHOICES, needs_of

FOLDERS = ("bank", "memory")
"""Parameters of solvers that name a bank's folder."""
SEARCHING = ("kate", "knowledge", "memp", "nearest", "online")
"""Solvers that search banks."""
EMBED_SECONDS = 60.0
"""That one text may take to be encoded; a local model is loaded for it."""
IN_ORDER = "online"
"""The solver that plays its samples in order."""


@cache
def check_at_start() -> None:
    """Have each task checked as it starts, from now on; called where a solver is made.

    Not at import: Inspect announces its hooks to everyone who has this package installed.
    """
    description = "ends a kate-eval run that can't be right before its first sample"
    hooks(name="preflight", description=description)(Preflight)


class Preflight(Hooks):
    """Checks each task as it starts."""

    def __init__(self) -> None:
        self._endpoints: dict[str, EndpointCheck] = {}
        """By run."""

    async def on_task_start(self, data: TaskStart) -> None:
        """End the task if its solver can't play it.

        Raises:
            LimitExceededError: it can't; the message is the KateError's.
        """
        metadata = data.spec.metadata or {}
        if "benchmark" not in metadata:  # no task of ours
            return
        try:
            for step in data.plan.steps:
                require_same_benchmark(step.params, metadata)
                require_order(step.solver, data.spec.config.max_samples)
                require_unlearned(step.params.get("memory"), _samples(data))
                own = data.spec.model_generate_config.temperature
                require_variety(step.solver, step.params, own, data.plan.config.temperature)
                await require_embedder(step.solver, step.params)
            check = self._endpoints.setdefault(data.run_id, EndpointCheck())
            await check.require(_needs(data), data.spec.model_base_url, list(data.spec.model_roles or {}))
        except KateError as ex:
            raise LimitExceededError("custom", value=1, limit=0, message=str(ex)) from ex

    async def on_run_end(self, data: RunEnd) -> None:
        """Forget the run."""
        self._endpoints.pop(data.run_id, None)


def _samples(data: TaskStart) -> set[tuple[str, int]]:
    """The samples that the task will play: (id, epoch)."""
    ids = data.spec.dataset.sample_ids or []
    return {(str(id), epoch) for id in ids for epoch in range(1, (data.spec.config.epochs or 1) + 1)}


def _needs(data: TaskStart) -> Sequence[Need]:
    """What the plan's solvers need of the endpoint; nothing where no solver of ours is in it."""
    offered = (data.spec.metadata or {}).get("mode", "fc") != "prompt"
    needs = [need for step in data.plan.steps for need in needs_of(step.solver, step.params) or ()]
    return [need for need in needs if offered or not need.tools]


def require_same_benchmark(parameters: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    """Check that the banks which a solver is to use are of the task's benchmark.

    Raises:
        BankError: one is of another benchmark, or its card can't be read.
    """
    benchmark = benchmark_of(metadata)
    for name in (parameters.get(parameter) for parameter in FOLDERS):
        if isinstance(name, str) and is_bank(Path(name)):
            require_benchmark(read_card(Path(name)), name, benchmark)


async def require_embedder(solver: str, parameters: Mapping[str, Any]) -> None:
    """Check that queries can be encoded as the items of the banks are, by encoding one.

    Raises:
        BankError: a bank's card can't be read.
        ConfigurationError: a package or setting is missing.
        EndpointError: the embedder's endpoint failed, or took too long.
    """
    searches = parameters.get("knowledge", "trajectory") not in (None, "", "none", [], ())
    if is_off() or not searches or solver.rpartition("/")[2] not in SEARCHING:
        return
    folders = [Path(name) for name in map(parameters.get, FOLDERS) if isinstance(name, str)]
    names = {read_card(folder).embedder.name for folder in folders if is_bank(folder)}
    for name in names | {parameters.get("embedder", LEXICAL)}:
        try:
            with anyio.fail_after(EMBED_SECONDS):
                await encode(make_embedder(name), ["ready"])
        except TimeoutError as ex:
            raise EndpointError(
                f"The embedder {name!r} took over {EMBED_SECONDS:g} s for one text. Set "
                f"{EndpointEmbedder.BASE_URL} to a server that answers, or embed the bank otherwise "
                "(kate knowledge embed)"
            ) from ex


def require_benchmark(card: Card, name: str, benchmark: str) -> None:
    """Check that a bank is of the benchmark that is played.

    Raises:
        BankError: it is of another.
    """
    if card.benchmark != benchmark:
        split = " --split mini_train" if benchmark.endswith("-mini") else ""
        raise BankError(
            f"The bank {name} is of {card.benchmark}, the task is {benchmark}. Build one: kate knowledge "
            f"build {benchmark.removesuffix('-mini')}{split} --form trajectory -o banks/{benchmark}"
        )


def require_order(solver: str, max_samples: int | None) -> None:
    """Check that `online` gets one sample after another.

    Raises:
        ConfigurationError: samples would begin side by side.
    """
    if solver.rpartition("/")[2] == IN_ORDER and max_samples != 1:
        raise ConfigurationError(
            "online learns from its samples in the dataset's order, but --max-samples is "
            f"{max_samples or 'not set'}: they would be played in an order of chance. Pass --max-samples 1"
        )


def require_variety(solver: str, parameters: Mapping[str, Any], own: float | None, run: float | None) -> None:
    """Check that several samples of one prompt can differ, and are drawn as the user says.

    Args:
        solver: by the name that a user types.
        parameters: as they were passed.
        own: temperature of the run's model (--temperature); None: not set.
        run: temperature in force, which may be the task's 0.

    Raises:
        ConfigurationError: all samples would be the same, or the run's temperature would not reach them.
    """
    sampled = any(need in CHOICES for need in needs_of(solver, parameters) or ())
    if not sampled or parameters.get("temperature") is not None:
        return
    if own == 0:
        raise ConfigurationError(
            "width > 1 with temperature 0 samples the same candidate: leave --temperature out (candidates "
            "are then drawn at 1), or give them one of their own (-S temperature=1)"
        )
    if own is None and run:  # Inspect tells a model's requests, but not the model, what eval() was passed
        raise ConfigurationError(
            f"temperature={run} does not reach the candidates of a model that is passed as an object: pass "
            f"its name, or get_model(..., config=GenerateConfig(temperature={run})), or -S temperature={run}"
        )


def require_unlearned(memory: object, samples: Set[tuple[str, int]]) -> None:
    """Check that a memory has something to learn: else its samples would be played with what they taught.

    Raises:
        ConfigurationError: it has learned from every sample.
    """
    from kate_eval.solvers.memory import open_memory  # it needs inject, which needs this module

    if not isinstance(memory, str) or not samples:
        return
    known = {(one.sample, one.epoch) for one in open_memory(Path(memory), prune=True).learned}
    if samples <= known:
        raise ConfigurationError(
            f"The memory {memory} has learned from all {len(samples)} samples before: their scores would say "
            "nothing. Name a new folder (-S memory=FOLDER), or begin one with this as a bank (-S bank=...)"
        )
