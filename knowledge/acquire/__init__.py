"""Acquisition: per benchmark a module, and a line a form in BUILDERS."""

from collections.abc import Callable
from functools import cache

from kate_eval.appworld import places
from kate_eval.errors import unknown
from kate_eval.knowledge.acquire.appworld import build_appworld_bank
from kate_eval.knowledge.acquire.bfcl import build_bfcl_bank
from kate_eval.knowledge.bank import Bank

BUILDERS: dict[str, dict[str, Callable[..., Bank]]] = {
    "bfcl": {"trajectory": build_bfcl_bank},
    "appworld": {"trajectory": build_appworld_bank},
}
"""Benchmark -> knowledge form -> what builds a bank of it."""
DEFAULT_FORMS = ("trajectory",)
"""The forms that default banks have."""


@cache
def default_bank(benchmark: str) -> Bank:
    """The bank that solvers use when none is named: the training half's; built once a process.

    Raises:
        ConfigurationError: the benchmark has no default bank.
        DatasetError: its data is not set up.
    """
    if benchmark == "bfcl":
        return build_bfcl_bank()
    world = places.world_of_benchmark(benchmark)
    if world is None:
        raise unknown("default bank", benchmark, BUILDERS, "Name one: -S bank=FOLDER")
    return build_appworld_bank(places.SPLITS[world][0])
