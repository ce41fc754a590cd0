"""The processes of a run, as a launcher starts them: how many, which is this, what one does for all."""

import os
from collections.abc import Callable

from kate_eval.errors import TrainingError


def count() -> int:
    """Processes of the whole run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this process writes and speaks for all."""
    return rank() == 0


def first_does(act: Callable[[], None], cuda: bool) -> None:
    """Have the first process do something, while the others wait.

    Args:
        act: what it does.
        cuda: whether the run computes on GPUs.

    Raises:
        TrainingError: it failed, in every process: none is left waiting.
    """
    if count() == 1:
        act()
        return
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    PartialState(cpu=not cuda)
    error: Exception | None = None
    if is_first():
        try:
            act()
        except Exception as ex:  # raised below, once the others know
            error = ex
    [said] = broadcast_object_list([str(error) if error is not None else None])
    if error is not None:
        raise error
    if said is not None:
        raise TrainingError(str(said))
