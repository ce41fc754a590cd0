"""Adaptive width: how many candidates a step needs, decided while they come in.

Source: adaptive consistency (Aggarwal et al. 2023, arXiv 2305.11860), with its Beta criterion. Sampling
starts with few candidates and stops when the vote can't change any more (the leader is ahead by more than
what is left to ask), or when the leader is sure: with v1 votes for it, v2 for the runner-up and a uniform
prior, the probability that the model proposes the leader more often than the runner-up is at least
`confidence`: P(p > 1/2) for p ~ Beta(v1 + 1, v2 + 1).

What the 0.95 means: at one step at which sampling stopped on it, the chance that the runner-up is what
the model proposes more often is at most 5% under that prior, however often one looks. The chance that the
vote at full width would have gone to the runner-up, ties included, is at most twice that, 10%: wherever
the runner-up has caught up by then, chances are at least even that it is ahead in truth. Measured for 4..16
(tests): 1% under the prior, with 2 to 6 kinds of answers, and 4.5% where two are always tied. What it doesn't
mean: that the leader is right; that no third candidate overtakes it (each is less likely to than the
runner-up); or anything about a whole sample, whose steps each take that risk.

Departures: undecodable candidates don't vote. A round asks for the fewest candidates that could settle
the vote, not for one, or for all that are left (sample.py chooses by cost). Where requests run side by
side and those still running are cancelled, short answers come first, and the 10% are no longer a bound.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from kate_eval.solvers.candidate import Candidate, tally

MOST = 128
"""The greatest width."""
_ADAPTIVE = re.compile(r"adaptive:(\d{1,4})\.\.(\d{1,4})")


@dataclass(frozen=True)
class Width:
    """Candidates per step.

    Attributes:
        first: asked for at once.
        most: asked for in all, if the vote stays open; equal to `first` where the width is fixed.
    """

    first: int
    most: int

    @property
    def adaptive(self) -> bool:
        """Whether the vote decides how many are asked for."""
        return self.first < self.most

    @property
    def written(self) -> int | str:
        """As a user writes it."""
        return f"adaptive:{self.first}..{self.most}" if self.adaptive else self.most


def read_width(value: object) -> Width:
    """A width as a user wrote it: 8, or adaptive:4..16.

    Raises:
        ValueError: it is none; the message says what would be one.
    """
    if isinstance(value, Width):
        return value
    text = str(value).strip()
    if found := _ADAPTIVE.fullmatch(text):
        first, most = int(found[1]), int(found[2])
        if 2 <= first < most <= MOST:
            return Width(first, most)
        raise ValueError(f"adaptive:LOW..HIGH needs 2 <= LOW < HIGH <= {MOST}, for instance adaptive:4..16")
    if re.fullmatch(r"\d{1,4}", text) and 1 <= int(text) <= MOST:
        return Width(int(text), int(text))
    raise ValueError(f"a number from 1 to {MOST}, or adaptive:LOW..HIGH, for instance adaptive:4..16")


def confidence_in(votes: Sequence[int]) -> float:
    """P(p > 1/2) for p ~ Beta(v1 + 1, v2 + 1): a binomial sum, since the votes are whole numbers.

    Args:
        votes: of each distinct candidate, most votes first.
    """
    leader, rival = _two(votes)
    draws = leader + rival + 1
    return sum(comb(draws, k) for k in range(leader + 1)) / (1 << draws)


@dataclass(frozen=True)
class Rule:
    """When a vote is settled."""

    confidence: float

    def sure(self, votes: Sequence[int]) -> bool:
        """Whether the leader is confident enough."""
        return confidence_in(votes) >= self.confidence

    def settled(self, votes: Sequence[int], left: int) -> bool:
        """Whether the leader is sure, or can't be caught up with by the candidates left to ask."""
        leader, rival = _two(votes)
        return leader - rival > left or self.sure(votes)

    def missing(self, votes: Sequence[int], left: int) -> int:
        """The fewest further candidates with which the vote may be settled; 0 where it is."""
        leader, rival = _two(votes)
        return next((n for n in range(left) if self.settled((leader + n, rival), left - n)), left)


def ballots(candidates: Sequence[Candidate]) -> list[int]:
    """The votes of each distinct candidate that could be decoded, most votes first."""
    return [votes for candidate, votes in tally(candidates) if candidate.action.error is None]


def _two(votes: Sequence[int]) -> tuple[int, int]:
    leader, rival, *_ = (*votes, 0, 0)
    return leader, rival
