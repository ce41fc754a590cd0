"""Which entries vary one scenario, by benchmark: knowledge of one of them is knowledge of all."""

from collections.abc import Callable, Mapping, Set
from typing import Any

from kate_eval.appworld import data as appworld_data
from kate_eval.appworld import places
from kate_eval.bfcl import data as bfcl_data

Siblings = Callable[[str], Set[str]]
"""Entry -> the entries that vary the same scenario, itself included."""


def siblings_of(benchmark: str) -> Siblings:
    """The siblings of a benchmark's entries; of an unknown benchmark, each entry stands alone."""
    if benchmark == "bfcl":
        return bfcl_data.siblings
    world = places.world_of_benchmark(benchmark)
    if world is None:
        return itself
    return lambda source: appworld_data.related(world, source)


def itself(source: str) -> Set[str]:
    """The siblings of an entry that has none."""
    return {source}


def by_class(benchmark: str) -> bool:
    """Whether entries say which classes of tools they involve; AppWorld's apps are ground truth."""
    return places.world_of_benchmark(benchmark) is None


def benchmark_of(metadata: Mapping[str, Any]) -> str:
    """The name that banks for a task have, by the task's metadata: AppWorld's worlds are two benchmarks."""
    return places.BENCHMARKS.get(metadata.get("world", ""), str(metadata["benchmark"]))
