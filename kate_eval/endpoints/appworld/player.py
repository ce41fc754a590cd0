"""AppWorld's player: the simulated model with a task's script in its hands."""

from collections.abc import Sequence
from dataclasses import dataclass

from inspect_ai.model import ChatMessage
from inspect_ai.tool import ToolInfo

from kate_eval.appworld.decode import code_block
from kate_eval.endpoints.appworld.critic import verdict
from kate_eval.endpoints.appworld.mistakes import Answer
from kate_eval.endpoints.appworld.policy import answers
from kate_eval.endpoints.appworld.request import RESULTS, Situation, read
from kate_eval.endpoints.appworld.script import block_of, script_of
from kate_eval.endpoints.candidates import CriticRequest
from kate_eval.endpoints.player import Said
from kate_eval.endpoints.profiles import Profile
from kate_eval.errors import EndpointError

MODE = "code"
NO_CODE = "I will look into that next; this answer is simulated and holds no code."


class AppWorldPlayer:
    """Plays one task."""

    results = RESULTS

    def __init__(self, benchmark: str, entry: str, mode: str) -> None:
        """Take up a task.

        Raises:
            DatasetError: no such task, or its world is not set up.
            EndpointError: an unknown mode, or a task without recorded solution.
        """
        if mode != MODE:
            raise EndpointError(f"The simulated endpoint plays {benchmark} in mode {MODE}, not {mode!r}.")
        self._script = script_of(benchmark, entry)

    def moment(self, messages: Sequence[ChatMessage], tools: Sequence[ToolInfo]) -> "AppWorldMoment":
        """Where a request stands.

        Raises:
            EndpointError: the conversation doesn't hold the task.
        """
        return AppWorldMoment(read(self._script, messages))

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
            EndpointError: the conversation doesn't hold the task.
        """
        return verdict(request, self._script, messages, profile, seed, attempt)


@dataclass(frozen=True)
class AppWorldMoment:
    """One step of a task."""

    situation: Situation

    @property
    def key(self) -> tuple[int, str]:
        """The answers so far, and what was asked beside."""
        return (len(self.situation.attempts), self.situation.nudge)

    def say(self, profile: Profile, seed: str, choices: Sequence[int], id: str) -> list[Said]:
        """The answers of some choices."""
        return [self._said(answer) for answer in answers(self.situation, profile, seed, choices)]

    def _said(self, answer: Answer) -> Said:
        about = "text" if answer.code is None else _about(answer.code)
        thought = f"Simulated reasoning: after {len(self.situation.attempts)} answers comes {about}."
        if answer.code is None:
            return Said(NO_CODE, thought)
        return Said(f"This simulated step is {about}.\n{code_block(answer.code).text}", thought)


def _about(code: str) -> str:
    named = sorted(block_of(code).apis)
    return "a call of " + ", ".join(named[:2]) if named else "some code"
