"""What a reward looks at, and what it gives: the one input and the one output of every reward.

A reward is a pure function `(Findings) -> Reward`. Who plays, and in which environment, it does not know.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from kate_eval.episode import Call

Level = Literal["step", "turn", "episode"]
"""How far a rollout goes from its row: one answer, one user turn, or all that follow."""


@dataclass(frozen=True)
class EngineTest:
    """One test of AppWorld's engine.

    Attributes:
        passed: whether it holds after the rollout.
        at_start: whether it holds before anything is done; then only a change can break it.
    """

    passed: bool
    at_start: bool


@dataclass(frozen=True)
class Findings:
    """What a rollout did.

    Attributes:
        gold: the calls of the step, the turn or the episode that it set out from, in order.
        calls: those it made, in order.
        reply: what it said at its end, thinking left out.
        unreadable: its last answer was to be calls and can't be read, or was cut off.
        accepted: the official verdict; None where there is none at this level.
        tests: of AppWorld's engine; None for other benchmarks.
    """

    gold: tuple[Call, ...]
    calls: tuple[Call, ...] = ()
    reply: str = ""
    unreadable: bool = False
    accepted: bool | None = None
    tests: tuple[EngineTest, ...] | None = None

    @property
    def only_replied(self) -> bool:
        """Whether it called nothing and said something: right where gold calls nothing."""
        return not self.calls and not self.unreadable and bool(self.reply.strip())


@dataclass(frozen=True)
class Reward:
    """A reward with what it is made of.

    Attributes:
        value: from 0 to 1.
        parts: name -> share or penalty, for the log of rollouts.
    """

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)


RewardFunction = Callable[[Findings], Reward]
