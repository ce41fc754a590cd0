"""What the simulated endpoint knows of a task: what is asked, the gold blocks, and plausible other ones.

The simulated model plays from this script; what it *sees* comes from the request alone (request.py).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from kate_eval.appworld.data import load_task
from kate_eval.appworld.decode import normal_form
from kate_eval.endpoints.appworld.literals import Value, literals
from kate_eval.endpoints.demonstrations import (
    Demonstration,
    folder_of,
    load_demonstration,
    load_demonstrations,
    world_of,
)
from kate_eval.endpoints.relevance import content_words

API = re.compile(r"\bapis\.(\w+)\.(\w+)")
"""An API, called or handed on to a function that calls it."""
CLOSING = "supervisor.complete_task"


@dataclass(frozen=True)
class Block:
    """A block of code, as it is compared with others.

    Attributes:
        code: its text.
        key: its normal form; equal blocks have equal ones.
        apis: the APIs it names, as "app.name".
    """

    code: str
    key: str
    apis: frozenset[str]

    @property
    def apps(self) -> frozenset[str]:
        """The apps whose APIs it names."""
        return frozenset(api.partition(".")[0] for api in self.apis)


@lru_cache(maxsize=2048)
def block_of(code: str) -> Block:
    """The block of this code."""
    return Block(code, normal_form(code), frozenset(".".join(found) for found in API.findall(code)))


@dataclass(frozen=True)
class Pool:
    """All demonstrations of a benchmark, the source of mistakes that look plausible.

    Attributes:
        blocks: all blocks that don't end a task.
        apis: all APIs that blocks name.
        values: place of a literal -> the literals seen there.
    """

    blocks: tuple[Block, ...]
    apis: frozenset[str]
    values: dict[str, tuple[Value, ...]]


@dataclass(frozen=True)
class Script:
    """One task, as the simulated model would have to play it.

    Attributes:
        task: its id.
        question: what the user asks.
        words: the content words of that.
        asks: whether an answer is expected.
        gold: the right blocks, in order; the last one ends the task.
    """

    task: str
    question: str
    words: frozenset[str]
    asks: bool
    gold: tuple[Block, ...]
    pool: Pool

    @property
    def apis(self) -> frozenset[str]:
        """The APIs that the task needs."""
        return frozenset().union(*(block.apis for block in self.gold))


def script_of(benchmark: str, task: str) -> Script:
    """The script of a task.

    Raises:
        DatasetError: no such task, or its world is not set up.
        EndpointError: it has no recorded solution.
    """
    return _script_of(folder_of(benchmark), benchmark, task)


@lru_cache(maxsize=4096)
def _script_of(folder: Path, benchmark: str, task: str) -> Script:
    # The folder is part of the key: tests move the cache.
    found = load_task(world_of(benchmark), task)
    codes = load_demonstration(folder, task).codes
    return make_script(task, found.instruction, found.asks, codes, _pool_of(folder))


def make_script(task: str, question: str, asks: bool, codes: Sequence[str], pool: Pool) -> Script:
    """The script of a task with these gold blocks."""
    gold = tuple(block_of(code) for code in codes)
    return Script(task, question, content_words(question), asks, gold, pool)


@cache
def _pool_of(folder: Path) -> Pool:
    return make_pool(load_demonstrations(folder))


def make_pool(shown: Sequence[Demonstration]) -> Pool:
    """The pool of these demonstrations."""
    blocks = [block_of(code) for one in shown for code in one.codes]
    values: dict[str, dict[str, Value]] = {}
    for block in blocks:
        for literal in literals(block.code):
            values.setdefault(literal.place, {}).setdefault(repr(literal.value), literal.value)
    return Pool(
        blocks=tuple({block.key: block for block in blocks if CLOSING not in block.apis}.values()),
        apis=frozenset().union(*(block.apis for block in blocks)),
        values={place: tuple(found.values()) for place, found in values.items()},
    )
