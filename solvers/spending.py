"""What one step's candidates cost, and what adaptive width saved of it."""

from kate_eval.counters import Counters
from kate_eval.solvers.adaptive import Width


class Spending:
    """The requests and tokens that the policy took since a step began."""

    def __init__(self, counters: Counters) -> None:
        """Begin a step.

        Args:
            counters: of the sample; they are read, and what adaptive width saved is added to them.
        """
        self._counters = counters
        self._tokens = dict(counters.tokens)
        self._requests = counters.requests
        self._full_prompts = 0.0

    def _spent(self, direction: str) -> int:
        key = f"policy_{direction}"
        return self._counters.tokens.get(key, 0) - self._tokens.get(key, 0)

    @property
    def requests(self) -> int:
        """Requests made."""
        return self._counters.requests - self._requests

    @property
    def output(self) -> int:
        """Tokens generated."""
        return self._spent("output")

    @property
    def prompt(self) -> int:
        """Prompt tokens that were in no cache."""
        return self._spent("input") - self._spent("cached")

    def first_round(self, full_requests: int) -> None:
        """Note what prompts would cost at full width, after the first round.

        Args:
            full_requests: that full width would take.
        """
        self._full_prompts = self._spent("input") / self.requests * full_requests

    def finish(self, width: Width, candidates: int) -> None:
        """Count the step's further requests, and what full width would have cost beyond what was spent."""
        self._counters.extra_requests += self.requests - 1
        if width.adaptive:
            full = self._full_prompts + width.most * self.output / candidates
            self._counters.tokens_saved += round(full - self._spent("input") - self.output)
