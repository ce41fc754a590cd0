"""What plays: a policy answers prompts of token ids. Which engine samples, a rollout does not know."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Sampled:
    """One answer.

    Attributes:
        ids: the tokens sampled, the end-of-turn token included where there was one.
        text: the ids decoded, without the end-of-turn token.
        ended: whether the model ended it; False if it was cut off.
        logprobs: one a token, at sampling; None where the engine gives none.
    """

    ids: tuple[int, ...]
    text: str
    ended: bool
    logprobs: tuple[float, ...] | None = None


class Policy(Protocol):
    """Samples answers, many at once."""

    def sample(self, prompts: Sequence[Sequence[int]], most: Sequence[int]) -> list[Sampled]:
        """One answer to each prompt, in their order.

        Args:
            prompts: token ids.
            most: the tokens that each answer may have.
        """

    def busy(self, live: bool) -> bool:
        """Whether any process still plays: where several sample together, all must ask equally often."""
