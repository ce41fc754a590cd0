"""A teacher model writes what gold does not have: the reasoning before each step, and closing replies.

Source: KATE, section 3.4 (arXiv 2606.10875); the wording is ours. The teacher sees what the model would see,
without knowledge, and the gold step. An answer that gives the key away (quoting.py) or is no short prose is
asked again with the reason; after three tries the step goes without reasoning, the turn with a fixed
sentence, which is counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from inspect_ai.model import ChatMessage

from kate_eval.bfcl.decode import DecodeError, decode_prompt
from kate_eval.knowledge.acquire.case import MAX_OUTPUT
from kate_eval.knowledge.acquire.form import Job, ask, require_latin, without_thinking
from kate_eval.solvers.candidate import as_json
from kate_eval.trainers.rows.play import Played, PlayedStep, PlayedTurn
from kate_eval.trainers.rows.quoting import fault

PROMPTS = Path(__file__).parent / "prompts"
REASONING, REPLY = "reasoning", "reply"
MIN_WORDS, MAX_WORDS = 4, 150
Key = tuple[str, int, int]
"""Entry, turn, step."""
Texts = Mapping[Key, str]
"""What the teacher wrote: the reasoning of a step with calls, the words of a reply."""


@dataclass(frozen=True)
class Text:
    """A teacher's text: reasoning, or a reply."""

    key: Key
    text: str
    reply: bool = False


@cache
def prompt(name: str) -> Template:
    """A text that the teacher is shown (trainers/rows/prompts/NAME.txt)."""
    return Template((PROMPTS / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n"))


def jobs(played: Played) -> Iterator[Job[Text]]:
    """What is to be written of an entry, in order."""
    earlier: list[str] = []
    shown: list[str] = []
    for turn in played.turns:
        question = turn.query or "\n".join(message.text for message in turn.asked)
        shown += [message.text for message in turn.asked]
        done: list[str] = []
        for number, step in enumerate(turn.steps):
            key = (played.entry, turn.index, number)
            if step.calls:
                yield _reasoning(key, step, turn, earlier, question, done, shown)
            else:
                yield _reply(key, turn, earlier, question, done)
            done.append(_handled(step))
            shown += [step.message.text, *(call.text for call in step.calls)]
            shown += [message.text for message in step.observations]
        earlier.append(f"Request: {question}\n{_joined(done)}")


def _reasoning(
    key: Key,
    step: PlayedStep,
    turn: PlayedTurn,
    earlier: Sequence[str],
    question: str,
    done: Sequence[str],
    shown: Sequence[str],
) -> Job[Text]:
    visible = "\n".join([*shown, as_json(turn.docs)])
    names = _names(turn)

    def read(answer: str, writer: str) -> Text:
        text = read_text(answer)
        if reason := fault(text, step.calls, names, visible):
            raise ValueError(reason)
        return Text(key, text)

    records = {
        "earlier": tuple(earlier),
        "question": question,
        "done": _joined(done),
        "step": "\n".join(call.text for call in step.calls),
    }
    return Job(REASONING, ask(prompt("reasoning"), records), read)


def _reply(
    key: Key, turn: PlayedTurn, earlier: Sequence[str], question: str, done: Sequence[str]
) -> Job[Text]:
    names = _names(turn)

    def read(answer: str, writer: str) -> Text:
        text = read_text(answer)
        if turn.need == "information" and "?" not in text:
            raise ValueError("it asks no question")
        if reason := fault(text, (), names, ""):
            raise ValueError(reason)
        if _is_calls(text):
            raise ValueError("it can be read as calls")
        return Text(key, text, reply=True)

    records: dict[str, str | Sequence[str]] = {"earlier": tuple(earlier), "question": question}
    if turn.need:
        described = {"tools": "\n".join(_line(doc) for doc in turn.docs)}
        return Job(REPLY, ask(prompt(f"reply_{turn.need}"), records | described), read)
    return Job(REPLY, ask(prompt("reply"), records | {"done": _joined(done)}), read)


def read_text(answer: str) -> str:
    """The text of an answer: one short paragraph of English prose.

    Raises:
        ValueError: it is none; the message says why.
    """
    text = " ".join(without_thinking(answer).split())
    count = len(text.split())
    if not MIN_WORDS <= count <= MAX_WORDS:
        raise ValueError(f"it has {count} words; {MIN_WORDS} to {MAX_WORDS} are wanted")
    require_latin(text)
    return text


def _is_calls(text: str) -> bool:
    """Whether prompting mode would take a text for calls."""
    try:
        return bool(decode_prompt(text, "python"))
    except (DecodeError, RecursionError):
        return False


def _names(turn: PlayedTurn) -> tuple[str, ...]:
    return tuple(str(doc["name"]) for doc in turn.docs)


def _line(doc: Mapping[str, object]) -> str:
    return f"{doc['name']}: {doc['description']}"


def _handled(step: PlayedStep) -> str:
    """A step with what came back, as the teacher reads it."""
    if not step.calls:
        return "(a reply to the user)"
    calls = "\n".join(call.text for call in step.calls)
    return f"{calls}\nResult: {_cut(step.observations)}"


def _cut(observations: Sequence[ChatMessage]) -> str:
    text = "\n".join(message.text for message in observations) or "(none)"
    return text if len(text) <= MAX_OUTPUT else f"{text[:MAX_OUTPUT]} [...]"


def _joined(done: Sequence[str]) -> str:
    return "\n".join(done) or "(nothing yet)"
