"""What a run did, answer by answer, and where two runs part."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from inspect_ai.log import EvalSample
from inspect_ai.model import ChatMessageAssistant

from kate_eval.appworld.decode import normal_form, read
from kate_eval.bfcl.categories import Mode
from kate_eval.bfcl.checker import decode_answer, decode_step
from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.decode import DecodeError
from kate_eval.episode import OUTCOME_KEY, Call, plain
from kate_eval.errors import DatasetError
from kate_eval.failures.cause import apart, shortened
from kate_eval.failures.shape import ShapeError, played
from kate_eval.failures.written import looks_like_calls

MAX_TEXT = 2000
"""Characters of a step that are kept."""
MAX_SHOWN = 160
"""Characters of a step that are shown."""
MAX_ANSWERS = 5000


@dataclass(frozen=True)
class Done:
    """One answer.

    Attributes:
        key: equal for answers that do the same; replies without calls are all alike.
        text: for people.
    """

    key: str
    text: str


Turns = Sequence[Sequence[Done]]
"""Turn -> answers."""


@dataclass(frozen=True)
class Parting:
    """The first step at which two runs did something else.

    Attributes:
        turn: from 0.
        step: answer within the turn, from 0.
        first: what the first run did; "" where it did no more.
        second: what the second run did.
    """

    turn: int
    step: int
    first: str
    second: str


def parting(first: Turns, second: Turns) -> Parting | None:
    """Where two runs part; None where they did the same throughout."""
    for turn, sides in enumerate(zip_longest(first, second, fillvalue=())):
        for step, (one, other) in enumerate(zip_longest(*sides)):
            if one is None or other is None or one.key != other.key:
                shown = apart(one.text if one else "", other.text if other else "", MAX_SHOWN)
                return Parting(turn, step, *shown)
    return None


def turns_of(sample: EvalSample, benchmark: str) -> Turns:
    """What a sample's model did; () where the log doesn't say."""
    if benchmark == "bfcl":
        try:
            return _bfcl(str(sample.id), sample.store.get(OUTCOME_KEY))
        except (ShapeError, DatasetError):
            return ()
    said = [m.text for m in sample.messages if isinstance(m, ChatMessageAssistant)][:MAX_ANSWERS]
    return [[_code(text) for text in said]]


def _bfcl(entry_id: str, outcome: object) -> Turns:
    entry = load_entry(entry_id)
    found = played(outcome, entry.multi_turn)
    if entry.multi_turn:
        return [[_step(said, found.mode) for said in turn] for turn in found.result]
    try:
        decoded = decode_answer(found.result, entry.category, found.mode)
        pairs = [(name, given) for item in decoded for name, given in item.items()]
        # With function calling, names have no dots; that is no difference to prompting.
        calls = [Call(name.replace(".", "_"), given) for name, given in pairs if isinstance(given, dict)]
    except (DecodeError, RecursionError):
        calls = []
    return [[_done(calls, found.result, found.mode)]]


def _step(response: object, mode: Mode) -> Done:
    return _done(decode_step(response, mode), response, mode)


def _done(calls: Sequence[Call], response: object, mode: Mode) -> Done:
    if calls:
        return Done("; ".join(c.key for c in calls), shortened("; ".join(map(_text, calls)), MAX_TEXT))
    if looks_like_calls(response, mode):
        return Done(f"undecodable: {response}", shortened(f"undecodable: {response}", MAX_TEXT))
    return Done("", shortened(f"reply: {response}", MAX_TEXT))


def _text(call: Call) -> str:
    return Call(call.name, plain(call.arguments)).text


def _code(text: str) -> Done:
    code = read(text).code
    if code is None:
        return Done("", shortened(f"no code: {text}", MAX_TEXT))
    return Done(normal_form(code), shortened(code, MAX_TEXT))
