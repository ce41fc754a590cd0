"""Acquisition: cases from gold or logs, a file a form, and the bank that is built of them.

The forms are in build.FORMS, a benchmark's gold in GOLD.
"""

from functools import cache

from kate_eval.appworld import places
from kate_eval.errors import unknown
from kate_eval.knowledge.acquire import trajectory
from kate_eval.knowledge.acquire.appworld import gold_cases as appworld_gold
from kate_eval.knowledge.acquire.bfcl import gold_cases as bfcl_gold
from kate_eval.knowledge.acquire.case import Acquired, Gold
from kate_eval.knowledge.bank import Bank, make_bank
from kate_eval.knowledge.calibrate import embedder_card

GOLD: dict[str, Gold] = {"bfcl": bfcl_gold, "appworld": appworld_gold}
"""Benchmark -> its gold."""
DEFAULT_FORMS = (trajectory.NAME,)
"""The forms that default banks have."""


def trajectory_bank(acquired: Acquired) -> Bank:
    """A bank of trajectories with the lexical embedder, in memory.

    Raises:
        BankError: there are none.
    """
    items = trajectory.trajectories(acquired.cases)
    embedder = embedder_card(None, items, None, acquired.siblings, acquired.by_class)
    return make_bank(items, acquired.card.model_copy(update={"embedder": embedder}))


@cache
def default_bank(benchmark: str) -> Bank:
    """The bank that solvers use when none is named: the training half's; built once a process.

    Raises:
        ConfigurationError: the benchmark has no default bank.
        DatasetError: its data is not set up.
    """
    if benchmark == "bfcl":
        return trajectory_bank(bfcl_gold())
    world = places.world_of_benchmark(benchmark)
    if world is None:
        raise unknown("default bank", benchmark, GOLD, "Name one: -S bank=FOLDER")
    return trajectory_bank(appworld_gold(places.SPLITS[world][0]))
