"""The tasks under names that are free in inspect_evals' register, which has a `bfcl` and an `appworld`.

inspect eval tasks/listed.py@kate_bfcl --solver kate
"""

from inspect_ai import Task, task

from kate_eval.tasks.appworld import appworld
from kate_eval.tasks.bfcl import bfcl


@task
def kate_bfcl(categories: str | list[str] = "multi_turn", split: str = "test", mode: str = "fc") -> Task:
    """BFCL-V3: the task `bfcl` under a name that no other catalogue entry has.

    Args:
        categories: categories and groups (non_live, live, multi_turn, all), comma-separated.
        split: train (even index), test (odd index) or all.
        mode: fc (tools through the API) or prompt (tools described in the system prompt).
    """
    return bfcl(categories=categories, split=split, mode=mode)


@task
def kate_appworld(split: str = "test_normal") -> Task:
    """AppWorld: the task `appworld` under a name that no other catalogue entry has.

    Args:
        split: train, dev, test_normal, test_challenge; mini_train, mini_dev, mini_test of the mini world.
    """
    return appworld(split=split)
