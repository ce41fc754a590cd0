"""BFCL's player: the simulated model with an entry's script in its hands."""

from collections.abc import Sequence
from dataclasses import dataclass

from inspect_ai.model import ChatMessage
from inspect_ai.tool import ToolInfo

from kate_eval.bfcl.categories import MODES, Mode
from kate_eval.endpoints.bfcl.critic import verdict
from kate_eval.endpoints.bfcl.mistakes import Answer
from kate_eval.endpoints.bfcl.policy import answers
from kate_eval.endpoints.bfcl.request import TOOL_RESULTS, Situation, read
from kate_eval.endpoints.bfcl.script import pool_of, script_of
from kate_eval.endpoints.bfcl.writing import tool_calls, written
from kate_eval.endpoints.candidates import CriticRequest
from kate_eval.endpoints.player import Said
from kate_eval.endpoints.profiles import Profile
from kate_eval.errors import EndpointError


class BfclPlayer:
    """Plays one entry."""

    results = TOOL_RESULTS

    def __init__(self, benchmark: str, entry: str, mode: str) -> None:
        """Take up an entry.

        Raises:
            DatasetError: no such entry.
            EndpointError: an unknown format of calls.
        """
        if mode not in MODES:
            raise EndpointError(
                f"The simulated endpoint plays {benchmark} in the modes {MODES}, not {mode!r}."
            )
        self._mode: Mode = mode
        self._script = script_of(entry, self._mode)

    def moment(self, messages: Sequence[ChatMessage], tools: Sequence[ToolInfo]) -> "BfclMoment":
        """Where a request stands.

        Raises:
            EndpointError: the conversation holds none of the entry's questions.
        """
        return BfclMoment(self._mode, read(self._script, self._mode, messages, tools))

    def verdict(
        self,
        request: CriticRequest,
        messages: Sequence[ChatMessage],
        profile: Profile,
        seed: str,
        attempt: int | None,
    ) -> str:
        """A critic's answer.

        Raises:
            EndpointError: the conversation holds none of the entry's questions.
        """
        return verdict(request, self._script, self._mode, messages, profile, f"{seed}|{attempt}")


@dataclass(frozen=True)
class BfclMoment:
    """One step of an entry."""

    mode: Mode
    situation: Situation

    @property
    def key(self) -> tuple[int, int, str]:
        """The turn, the calls made in it, and what was asked beside."""
        return (self.situation.turn, len(self.situation.made), self.situation.nudge)

    def say(self, profile: Profile, seed: str, choices: Sequence[int], id: str) -> list[Said]:
        """The answers of some choices."""
        pool = pool_of(self.situation.script.entry.category, self.mode)
        found = answers(self.situation, pool, profile, seed, choices)
        return [self._said(answer, f"{id}_{choice}") for answer, choice in zip(found, choices, strict=True)]

    def _said(self, answer: Answer, id: str) -> Said:
        about = answer.calls[0].name if answer.calls else "a reply"
        thought = f"Simulated reasoning: after {len(self.situation.made)} calls in this turn comes {about}."
        if self.mode == "prompt":
            return Said(written(answer, self.situation.script.entry.category), thought)
        return Said(answer.reply, thought, tuple(tool_calls(answer, id)))
