"""What a request shows the simulated model: the task, the blocks run so far, and whether an example helps.

Judged from messages only, as a model would; the task's script serves to recognise its question.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inspect_ai.model import ChatMessage

from kate_eval.appworld.decode import read as read_answer
from kate_eval.endpoints.appworld.script import Block, Script, block_of
from kate_eval.endpoints.relevance import LONG_NOTES, asks_to_think, exemplified_in_code
from kate_eval.errors import EndpointError

RESULTS = "Output:"
"""How the user message begins that holds what a block printed."""
_FAILED = "Output:\nExecution failed"
MAX_SEEN = 20_000
"""Characters of an output that are looked at."""


@dataclass(frozen=True)
class Attempt:
    """One answer of the conversation.

    Attributes:
        block: what it ran; None if it held no code.
        output: what came back.
    """

    block: Block | None
    output: str = ""

    @property
    def failed(self) -> bool:
        """Whether the block raised."""
        return self.output.startswith(_FAILED)


@dataclass(frozen=True)
class Situation:
    """One step, as the request shows it.

    Attributes:
        attempts: the answers so far, in order.
        shown: APIs that a relevant worked example calls.
        distracted: the task's message is long, and none of its text helps.
        nudge: the last message, if it asks to think before the step; "" otherwise.
    """

    script: Script
    attempts: tuple[Attempt, ...]
    shown: frozenset[str] = frozenset()
    distracted: bool = False
    nudge: str = ""


def read(script: Script, messages: Sequence[ChatMessage]) -> Situation:
    """Read the situation off a request.

    Raises:
        EndpointError: the conversation doesn't hold the task.
    """
    spoken = [(message.role, message.text) for message in messages]
    at = asked_at(script, spoken)
    notes = spoken[at][1].replace(script.question, " ").strip()
    shown = exemplified_in_code(notes, script.words, script.apis)
    role, last = spoken[-1]
    thinks = len(spoken) - 1 > at and role == "user" and not last.startswith(RESULTS) and asks_to_think(last)
    return Situation(
        script=script,
        attempts=attempts_in(spoken[at + 1 :]),
        shown=shown,
        distracted=len(notes) > LONG_NOTES and not shown,
        nudge=last if thinks else "",
    )


def asked_at(script: Script, spoken: Sequence[tuple[str, str]]) -> int:
    """The index of the message that holds the task.

    Raises:
        EndpointError: none does.
    """
    for index, (role, text) in enumerate(spoken):
        if role == "user" and script.question in text:
            return index
    raise EndpointError(f"The simulated endpoint does not find the task {script.task} in the request.")


def attempts_in(spoken: Sequence[tuple[str, str]]) -> tuple[Attempt, ...]:
    """The answers in a conversation (roles and texts), each with what came back."""
    followed = zip(spoken, [*spoken, ("user", "")][1:], strict=True)
    return tuple(
        _attempt(text, after if role == "user" else "")
        for (speaker, text), (role, after) in followed
        if speaker == "assistant"
    )


def _attempt(text: str, output: str) -> Attempt:
    code = read_answer(text).code
    return Attempt(None if code is None else block_of(code), output[:MAX_SEEN])
