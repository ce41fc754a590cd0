"""From played entries and a teacher's texts to rows, with the bodies that the provider kate/ would send."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from inspect_ai.model import ChatMessage, ChatMessageAssistant, ContentReasoning, ContentText

from kate_eval.endpoints.openai.messages import REASONING_FIELDS, encode_messages
from kate_eval.endpoints.openai.request import ToolSchemas
from kate_eval.knowledge.item import Origin
from kate_eval.trainers.row import Json, Row
from kate_eval.trainers.rows.play import Mode, Played, PlayedStep, PlayedTurn
from kate_eval.trainers.rows.teacher import Texts

_SCHEMAS = ToolSchemas()


@dataclass(frozen=True)
class Moment:
    """A step with all that is before it.

    Attributes:
        played: the entry.
        turn: of the step.
        number: of the step in its turn, from 0.
        step: with the teacher's text in its message.
        reasoning: the teacher's, of a step with calls; "" for none.
        conversation: the messages before the step.
        encoded: the same as the API has them.
        knowledge: ids of the items that the conversation shows.
    """

    played: Played
    turn: PlayedTurn
    number: int
    step: PlayedStep
    reasoning: str
    conversation: tuple[ChatMessage, ...]
    encoded: tuple[Json, ...]
    knowledge: tuple[str, ...]


@dataclass
class _Conversation:
    messages: list[ChatMessage] = field(default_factory=list)
    encoded: list[Json] = field(default_factory=list)

    def add(self, *messages: ChatMessage) -> None:
        self.messages += messages
        self.encoded += encode_messages(messages)


def moments(played: Played, texts: Texts) -> Iterator[Moment]:
    """The steps of an entry, each after those before it."""
    conversation = _Conversation()
    knowledge: tuple[str, ...] = ()
    for turn in played.turns:
        conversation.add(*turn.shown)
        knowledge = tuple(dict.fromkeys((*knowledge, *turn.knowledge)))
        for number, step in enumerate(turn.steps):
            text = texts.get((played.entry, turn.index, number), "")
            message = with_text(step.message, text, played.mode, bool(step.calls)) if text else step.message
            written = replace(step, message=message)
            before = tuple(conversation.messages), tuple(conversation.encoded)
            reasoning = text if step.calls else ""
            yield Moment(played, turn, number, written, reasoning, *before, knowledge)
            conversation.add(message, *step.observations)


def with_text(message: ChatMessageAssistant, text: str, mode: Mode, acts: bool) -> ChatMessageAssistant:
    """A message with a teacher's text: as a reply's words, before code, or as the reasoning of calls."""
    if not acts:
        return message.model_copy(update={"content": text})
    if mode == "code":
        return message.model_copy(update={"content": f"{text}\n{message.text}"})
    reasoning = ContentReasoning(reasoning=text, internal=REASONING_FIELDS[0])
    return message.model_copy(update={"content": [reasoning, ContentText(text=message.text)]})


def step_row(moment: Moment, writer: str) -> Row:
    """The row of a step.

    Args:
        moment: the step.
        writer: the teacher; "" where there is none.
    """
    played = moment.played
    return Row(
        id=f"{played.entry}/{moment.turn.index}/{moment.number}/step",
        benchmark=played.benchmark,
        entry=played.entry,
        cluster=played.cluster,
        turn=moment.turn.index,
        step=moment.number,
        mode=played.mode,
        messages=moment.encoded,
        tools=tuple(schema.data for schema in _SCHEMAS.of(moment.turn.tools)),
        completion=encode_messages([moment.step.message])[0],
        knowledge=moment.knowledge,
        origin=Origin(writer=writer),
    )
