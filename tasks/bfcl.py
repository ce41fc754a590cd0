"""BFCL-V3 as an Inspect task: `inspect eval tasks/bfcl.py --solver kate`."""

from inspect_ai import Task, task

from kate_eval.bfcl.task import bfcl_task
from kate_eval.solvers.kate import baseline


@task
def bfcl(categories: str | list[str] = "multi_turn", split: str = "test", mode: str = "fc") -> Task:
    """BFCL-V3, scored by the official checkers.

    Args:
        categories: categories and groups (non_live, live, multi_turn, all), comma-separated.
        split: train (even index), test (odd index) or all.
        mode: fc (tools through the API) or prompt (tools described in the system prompt).
    """
    return bfcl_task(categories, split, mode, default_solver=baseline())
