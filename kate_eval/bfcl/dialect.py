"""A dialect: how the answers of a result are written, and which calls they are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from kate_eval.episode import Call

Language = Literal["python", "java", "javascript"]
Decoded = list[dict[str, Any]]
"""A decoded answer in the official shape: [{name: {argument: value}}, ...]."""


@dataclass(frozen=True)
class Dialect:
    """How answers are written. For what is no list of calls its functions raise `DecodeError`, nothing else.

    Attributes:
        name: for people.
        dotted: whether names keep the dots of the functions' names ("_" stands for them otherwise).
        decode: a single-turn answer, in the language of its category.
        steps: the calls of one multi-turn step.
    """

    name: str
    dotted: bool
    decode: Callable[[Any, Language], Decoded]
    steps: Callable[[Any], list[Call]]
