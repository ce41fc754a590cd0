"""One rollout: a row's prompt, the policy's answers, the environment's observations, and the reward.

It asks for nothing itself: whoever samples gives it one answer after the other (`take`), from `ids` and
within `room`. So one loop can sample for many at once (play.py), and an agent loop for one (verl).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from inspect_ai.model import ChatMessageAssistant

from kate_eval.endpoints.openai.messages import encode_messages
from kate_eval.endpoints.openai.request import ToolSchemas
from kate_eval.episode import Call, Episode
from kate_eval.errors import KateError, TrainingError
from kate_eval.trainers.rewards import Findings, Reward, Rule
from kate_eval.trainers.rollout.bounds import Bounds
from kate_eval.trainers.rollout.policy import Sampled
from kate_eval.trainers.rollout.reading import Parser, read_answer, sets_out_to_call
from kate_eval.trainers.rollout.start import Json, Start
from kate_eval.trainers.rollout.step import answered
from kate_eval.trainers.rollout.tape import Rendering, Segment, Tape

SCHEMAS = ToolSchemas()


@dataclass(frozen=True)
class Played:
    """A rollout that is over.

    Attributes:
        row: id of the row it began from.
        segments: its ids; more than one where the template rewrote the conversation on the way.
        messages: what followed the prompt: answers, observations, user turns.
        findings: what the reward saw.
        reward: its reward.
        steps: answers.
        truncated: why it was cut off before its end; "" if it was not.
    """

    row: str
    segments: tuple[Segment, ...]
    messages: tuple[Json, ...]
    findings: Findings
    reward: Reward
    steps: int
    truncated: str

    def segment(self, seed: str) -> Segment:
        """One of its segments, for trainers that take one sequence a rollout.

        Each is as likely: over many rollouts all answers count alike.
        """
        return random.Random(f"{seed}/{self.row}").choice(self.segments)


class Rollout:
    """One rollout under way.

    Args:
        start: where it begins.
        rendering: of the policy's tokenizer.
        bounds: how long it may get.
        parser: of calls in an answer's text.

    Attributes:
        over: whether nothing more is to be sampled.
    """

    def __init__(
        self, start: Start, rendering: Rendering, bounds: Bounds, parser: Parser = "recovery"
    ) -> None:
        self.start = start
        self.over = False
        self._bounds = bounds
        self._parser: Parser = parser
        self._tape = Tape(rendering, start.row.messages, start.row.tools)
        self._messages: list[Json] = []
        self._calls: list[Call] = []
        self._reply = ""
        self._unreadable = False
        self._steps = 0
        self._truncated = ""
        self._stop_if_full()

    @property
    def ids(self) -> list[int]:
        """The prompt of the next answer."""
        return self._tape.last.ids

    @property
    def room(self) -> int:
        """The tokens that the next answer may have."""
        sampled = sum(len(segment.completion_ids) for segment in self._tape.segments)
        return self._bounds.room(len(self.ids), sampled)

    async def take(self, sampled: Sampled) -> None:
        """Play one answer.

        Raises:
            TrainingError: the environment failed; it names the row.
        """
        if self.over:
            raise TrainingError(f"Row {self.start.row.id}: the rollout is over and takes no more answers")
        self._tape.answer(sampled)
        self._steps += 1
        message = self._read(sampled.text)
        self._reply = message.text
        if not sampled.ended:
            self._messages += encode_messages([message])
            self._unreadable = True
            self._stop("an answer was cut off")
            return
        try:
            await self._play(message)
        except KateError as ex:
            raise TrainingError(f"Row {self.start.row.id}: {ex}") from ex

    async def finish(self, rule: Rule) -> Played:
        """The rollout with its reward; its environment is closed.

        Raises:
            TrainingError: the environment or the reward failed; it names the row.
        """
        row = self.start.row
        try:
            judgement = await self.start.judge()
        except KateError as ex:
            raise ex if isinstance(ex, TrainingError) else TrainingError(f"Row {row.id}: {ex}") from ex
        finally:
            await self.close()
        found = Findings(
            gold=self.start.gold,
            calls=tuple(self._calls),
            reply=self._reply,
            unreadable=self._unreadable,
            accepted=judgement.accepted,
            tests=judgement.tests,
        )
        return Played(
            row=row.id,
            segments=self._tape.end(),
            messages=tuple(self._messages),
            findings=found,
            reward=rule(row.id, found),
            steps=self._steps,
            truncated=self._truncated,
        )

    async def close(self) -> None:
        """Give back the environment; safe to call twice."""
        if self.start.episode is not None:
            await self.start.episode.close()

    def _read(self, text: str) -> ChatMessageAssistant:
        episode = self.start.episode
        tools = self.start.tools if episode is None else episode.tools
        rename = str if episode is None else episode.tool_name
        place = len(self.start.row.messages) + len(self._messages)
        return read_answer(text, tools, rename, place, self._parser)

    async def _play(self, message: ChatMessageAssistant) -> None:
        episode = self.start.episode
        if episode is None:
            calls, unreadable = answered(self.start.row, message)
            self._note(message, calls, unreadable)
            self._messages += encode_messages([message])
            self.over = True
            return
        action = episode.decode(message)
        self._note(message, action.calls, action.error is not None and not self._in_code)
        observation = await episode.step(action)
        answer, *after = encode_messages([action.message, *observation.messages])
        if observation.turn_over:
            after += self._next_turn(episode)
        self._messages += [answer, *after]
        if not self.over:
            tools = [schema.data for schema in SCHEMAS.of(episode.tools)]
            self._tape.go_on(answer, after, tools)
            self._stop_if_full()

    @property
    def _in_code(self) -> bool:
        """An answer without a code block is told so, and the task goes on."""
        return self.start.row.mode == "code"

    def _note(self, message: ChatMessageAssistant, calls: Sequence[Call], unreadable: bool) -> None:
        self._calls += calls
        self._unreadable = unreadable or (not calls and sets_out_to_call(message.text))

    def _next_turn(self, episode: Episode) -> list[Json]:
        """What the user says next; nothing where the rollout is over."""
        turn = episode.next_turn() if self.start.level == "episode" else None
        if turn is None:
            self.over = True
            return []
        told = self.start.follow_ups.get(turn.index)
        return encode_messages(turn.messages) if told is None else list(told)

    def _stop_if_full(self) -> None:
        if self._steps >= self._bounds.max_answers:
            self._stop(f"{self._steps} answers")
        elif self.room < 1:
            self._stop("no room for another answer")

    def _stop(self, why: str) -> None:
        self.over, self._truncated = True, why
