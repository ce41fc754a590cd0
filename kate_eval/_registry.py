"""What Inspect loads from the entry point: every task, solver, scorer and provider of ours.

It is imported by each `inspect` command, so nothing heavy here; a test imports it and times it.
"""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

from inspect_ai.model import ModelAPI, modelapi
from inspect_ai.solver import Solver, solver

from kate_eval.appworld.scorer import appworld_counts, appworld_verdict
from kate_eval.bfcl.scorer import bfcl_verdict
from kate_eval.counters import run_counters
from kate_eval.errors import unknown
from kate_eval.solvers.kate import baseline, depth, kate, knowledge, memp, width
from kate_eval.solvers.nearest import nearest
from kate_eval.solvers.online import online
from kate_eval.tasks.appworld import appworld
from kate_eval.tasks.bfcl import bfcl

SOLVERS: dict[str, Callable[..., Solver]] = {
    "baseline": baseline,
    "depth": depth,
    "kate": kate,
    "knowledge": knowledge,
    "memp": memp,
    "nearest": nearest,
    "online": online,
    "width": width,
}


def _register_short(name: str, factory: Callable[..., Solver]) -> None:
    """Register a solver under its bare name too: `--solver kate` is looked up exactly so.

    Inspect prefixes a name with the package of the factory's module; an alias of no module has none.
    """

    @wraps(factory)
    def alias(*args: Any, **kwargs: Any) -> Solver:
        known = signature(factory).parameters
        for parameter in kwargs:
            if parameter not in known:
                raise unknown(f"parameter of {name}", parameter, known, "Pass it as -S NAME=VALUE")
        return factory(*args, **kwargs)

    alias.__module__ = "kate_eval short names"
    solver(name)(alias)


for _name, _factory in SOLVERS.items():
    _register_short(_name, _factory)


@modelapi(name="simulated")
def simulated() -> type[ModelAPI]:
    """The simulated endpoint: `--model simulated/default`."""
    from kate_eval.endpoints.simulated import SimulatedAPI

    return SimulatedAPI


@modelapi(name="kate")
def kate_servers() -> type[ModelAPI]:
    """OpenAI-compatible servers: `--model kate/NAME --model-base-url URL,URL`."""
    from kate_eval.endpoints.openai.provider import KateAPI

    return KateAPI


__all__ = [
    "SOLVERS",
    "appworld",
    "appworld_counts",
    "appworld_verdict",
    "bfcl",
    "bfcl_verdict",
    "kate_servers",
    "run_counters",
    "simulated",
]
