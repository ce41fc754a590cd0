"""How far the simulated model has come: blocks that were run, matched to gold blocks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kate_eval.endpoints.appworld.request import Attempt
from kate_eval.endpoints.appworld.script import Block


@dataclass(frozen=True)
class Progress:
    """Where the conversation stands against the gold.

    Attributes:
        position: index of the next gold block; their number if none is left.
        spent: answers that ran no further gold block.
    """

    position: int
    spent: int


def progress(
    gold: Sequence[Block], attempts: Sequence[Attempt], goes_back: Callable[[int], bool]
) -> Progress:
    """Match attempts to gold blocks: equal ones first, then wrong ones by the APIs they call.

    Blocks that were passed over are not come back to, unless an error makes the model go back: then the
    first gold block that has not run without an error is next.

    Args:
        gold: the right blocks.
        attempts: the answers so far.
        goes_back: whether the model goes back after the failed attempt of this index.
    """
    done: set[int] = set()
    taken: set[int] = set()
    position = 0
    for number, attempt in enumerate(attempts):
        if attempt.failed and goes_back(number):
            taken = set(done)
            position = _next(gold, done, 0)
            continue
        match = _match(gold, taken, position, attempt)
        if match is None:
            continue
        taken.add(match)
        if not attempt.failed:
            done.add(match)
        position = max(position, match + 1)
    return Progress(_next(gold, taken, position), len(attempts) - len(done))


def _next(gold: Sequence[Block], taken: set[int], start: int) -> int:
    return next((i for i in range(start, len(gold)) if i not in taken), len(gold))


def _match(gold: Sequence[Block], taken: set[int], position: int, attempt: Attempt) -> int | None:
    block = attempt.block
    if block is None:
        return None
    still_open = [i for i in (*range(position, len(gold)), *range(position)) if i not in taken]
    equal = (i for i in still_open if gold[i].key == block.key)
    attempted = (i for i in still_open if block.apis and gold[i].apis == block.apis)
    return next(equal, next(attempted, None))
