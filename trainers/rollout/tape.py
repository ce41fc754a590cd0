"""The token ids of a rollout: what was sampled stays as it was sampled, what came between is rendered.

After an answer the next prompt, as a server would render it, is compared with the rendering of the
conversation up to that answer's end of turn. If it goes on from there, what it adds (the observation, the
next header) is appended to the ids at hand. If it does not, the template has rewritten what came before
(tools were added, or thinking of earlier turns was dropped): then a new segment begins with the new prompt.
So a policy sees the ids that a server would give it, but that its own answers are never tokenised again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kate_eval.errors import TrainingError
from kate_eval.trainers.rollout.policy import Sampled

Json = dict[str, Any]


class Rendering(Protocol):
    """From chat requests to ids (kate_eval.trainers.rendering has the one for tokenizers)."""

    def prompt_ids(self, messages: Sequence[Json], tools: Sequence[Json]) -> list[int]:
        """The ids of a conversation, up to where the assistant's answer begins."""

    def completion_ids(self, messages: Sequence[Json], tools: Sequence[Json], completion: Json) -> list[int]:
        """The ids of an answer after them, the end-of-turn token included."""


@dataclass
class Segment:
    """A prompt and what followed it, until the template rewrote it.

    Attributes:
        prompt_ids: as a server renders it.
        completion_ids: answers and what came between them.
        mask: 1 for each id that was sampled, 0 for the others.
        logprobs: one for each of completion_ids, 0 where the mask is 0; None if the engine gave none.
    """

    prompt_ids: list[int]
    completion_ids: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    logprobs: list[float] | None = field(default_factory=list)

    @property
    def ids(self) -> list[int]:
        """All of them."""
        return self.prompt_ids + self.completion_ids

    def append(self, ids: Sequence[int], sampled: bool, logprobs: Sequence[float] | None) -> None:
        """Add ids at the end."""
        self.completion_ids += ids
        self.mask += [int(sampled)] * len(ids)
        if self.logprobs is None or logprobs is None:
            self.logprobs = None
        else:
            self.logprobs += logprobs

    def end(self) -> None:
        """Drop what follows the last answer: nothing was said about it."""
        kept = len(self.mask) - self.mask[::-1].index(1) if 1 in self.mask else 0
        del self.completion_ids[kept:], self.mask[kept:]
        if self.logprobs is not None:
            del self.logprobs[kept:]


class Tape:
    """The ids of one rollout, in segments.

    Args:
        rendering: of the policy's tokenizer.
        messages: the conversation before the first answer.
        tools: offered at that point.
    """

    def __init__(self, rendering: Rendering, messages: Sequence[Json], tools: Sequence[Json]) -> None:
        self._rendering = rendering
        self._rendered = rendering.prompt_ids(messages, tools)
        self._at = (list(messages), list(tools))
        self.segments = [Segment(self._rendered)]

    @property
    def last(self) -> Segment:
        """The segment under way."""
        return self.segments[-1]

    def answer(self, sampled: Sampled) -> None:
        """Add what was sampled."""
        self.last.append(sampled.ids, True, sampled.logprobs)

    def go_on(self, answer: Json, following: Sequence[Json], tools: Sequence[Json]) -> None:
        """Add what follows an answer, up to where the next one begins.

        Args:
            answer: the last answer, as it stands in the conversation.
            following: observations and user turns.
            tools: offered now.
        """
        ended = self._ended(answer)
        self._at = ([*self._at[0], answer, *following], list(tools))
        self._rendered = self._rendering.prompt_ids(*self._at)
        if ended is not None and self._rendered[: len(ended)] == ended:
            added = self._rendered[len(ended) :]
            self.last.append(added, False, [0.0] * len(added))
        else:
            self.segments.append(Segment(self._rendered))

    def _ended(self, answer: Json) -> list[int] | None:
        """The conversation rendered up to the end of an answer; None where the template can't have it so."""
        try:
            return self._rendered + self._rendering.completion_ids(*self._at, answer)
        except TrainingError:  # it writes the prompt otherwise once this answer follows
            return None

    def end(self) -> tuple[Segment, ...]:
        """The segments in which something was sampled, each ending with its last answer."""
        for segment in self.segments:
            segment.end()
        return tuple(segment for segment in self.segments if segment.completion_ids)
