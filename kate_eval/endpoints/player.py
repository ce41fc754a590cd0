"""What the simulated endpoint asks of a benchmark's player, and what it gets: the seam between the two.

A benchmark's folder (bfcl/, appworld/) has one Player; none of them knows another.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from inspect_ai.model import ChatMessage
from inspect_ai.tool import ToolCall, ToolInfo

from kate_eval.endpoints.candidates import CriticRequest
from kate_eval.endpoints.profiles import Profile


@dataclass(frozen=True)
class Said:
    """One choice of a simulated answer, in the benchmark's own format.

    Attributes:
        text: the message's text; "" for none.
        thought: the (simulated) reasoning before it.
        calls: tool calls, where the format has them.
    """

    text: str
    thought: str
    calls: tuple[ToolCall, ...] = ()


class Moment(Protocol):
    """One step of a sample, as a request shows it."""

    @property
    def key(self) -> tuple[Hashable, ...]:
        """Equal for requests that ask for the same step in the same way."""

    def say(self, profile: Profile, seed: str, choices: Sequence[int], id: str) -> list[Said]:
        """The answers of some choices.

        Args:
            profile: the rates.
            seed: of the sample and epoch.
            choices: indexes of the independent draws.
            id: prefix of the tool calls' ids.
        """


class Player(Protocol):
    """Plays one sample of one benchmark."""

    results: str
    """How a user message that holds results of calls begins."""

    def moment(self, messages: Sequence[ChatMessage], tools: Sequence[ToolInfo]) -> Moment:
        """Where a request stands.

        Raises:
            EndpointError: the conversation is not about the sample.
        """

    def verdict(
        self,
        request: CriticRequest,
        messages: Sequence[ChatMessage],
        profile: Profile,
        seed: str,
        attempt: int | None,
    ) -> str:
        """A critic's answer.

        Args:
            request: the critic's request in the messages.
            messages: the whole request.
            profile: the rates.
            seed: of the sample and epoch.
            attempt: Inspect's seed, which tells repeated requests apart where it is set.

        Raises:
            EndpointError: the conversation is not about the sample.
        """
