"""What a request shows the simulated model: which turn it is, what was called so far, what may be called.

Judged from messages and tools only, as a model would; the entry's script serves to recognise its questions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from inspect_ai.model import ChatMessage, ChatMessageAssistant
from inspect_ai.tool import ToolInfo

from kate_eval.bfcl import engine
from kate_eval.bfcl.categories import Mode, language_of
from kate_eval.bfcl.decode import DecodeError, decode_prompt
from kate_eval.endpoints.bfcl.script import Script
from kate_eval.endpoints.relevance import LONG_NOTES, asks_to_think, exemplified
from kate_eval.episode import Call
from kate_eval.errors import EndpointError

_DOCUMENTED = re.compile(r"[\"']name[\"']:\s*[\"']([\w.]+)[\"']")
TOOL_RESULTS = "[{'role': 'tool'"
"""How the official prompting mode opens the user message that holds tool results."""


@dataclass(frozen=True)
class Situation:
    """One step, as the request shows it.

    Attributes:
        turn: the current user turn.
        made: the calls made in it so far, in order.
        offered: names of the functions that can be called now.
        shown: functions of this turn's gold that a relevant worked example calls.
        distracted: the user's message is long, and none of its text helps.
        nudge: the last message, if it asks to think before the step; "" otherwise.
    """

    script: Script
    turn: int
    made: tuple[Call, ...]
    offered: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()
    distracted: bool = False
    nudge: str = ""


@dataclass(frozen=True)
class Progress:
    """Where the made calls stand against the turn's gold.

    Attributes:
        remaining: gold calls still to make. Steps that were passed over are not come back to.
        position: index of the next gold call in the turn.
        extras: made calls that belong to no gold call.
    """

    remaining: tuple[Call, ...]
    position: int
    extras: int


def read(script: Script, mode: Mode, messages: Sequence[ChatMessage], tools: Sequence[ToolInfo]) -> Situation:
    """Read the situation off a request.

    Raises:
        EndpointError: the conversation holds none of the entry's questions.
    """
    turn, at = current_turn(script, messages)
    if turn < 0:
        raise EndpointError(f"The simulated endpoint finds no question of {script.entry.id} in the request.")
    notes = _notes(script, turn, messages[at].text)
    shown = exemplified(notes, script.words[turn], frozenset(call.name for call in script.gold[turn]))
    last = messages[-1]
    thinks = len(messages) - 1 > at and last.role == "user" and not last.text.startswith(TOOL_RESULTS)
    return Situation(
        script=script,
        turn=turn,
        made=calls_in(script, mode, messages[at + 1 :]),
        offered=_offered(mode, messages, tools),
        shown=shown,
        distracted=len(notes) > LONG_NOTES and not shown,
        nudge=last.text if thinks and asks_to_think(last.text) else "",
    )


def current_turn(script: Script, messages: Sequence[ChatMessage]) -> tuple[int, int]:
    """The latest turn whose question is in the conversation and its message's index; (-1, -1) if none."""
    turn, at, answered = -1, -1, True
    for index, message in enumerate(messages):
        if message.role == "assistant":
            answered = True
        elif message.role == "user" and answered and not message.text.startswith(TOOL_RESULTS):
            found = _turn_asked(script, message.text, turn + 1)
            if found >= 0:
                turn, at, answered = found, index, False
    return turn, at


def _turn_asked(script: Script, text: str, start: int) -> int:
    for turn in range(start, len(script.questions)):
        if (script.questions[turn] or engine.official().more_functions_fc) in text:
            return turn
    return -1


def calls_in(script: Script, mode: Mode, messages: Sequence[ChatMessage]) -> tuple[Call, ...]:
    """The calls that assistant messages made."""
    answers = (message for message in messages if isinstance(message, ChatMessageAssistant))
    return tuple(call for message in answers for call in _calls_of(script, mode, message))


def _calls_of(script: Script, mode: Mode, message: ChatMessageAssistant) -> Sequence[Call]:
    if mode == "prompt":
        return decoded_calls(message.text, script.entry.category)
    return [Call(call.function, call.arguments) for call in message.tool_calls or () if not call.parse_error]


@lru_cache(maxsize=8192)
def decoded_calls(text: str, category: str) -> tuple[Call, ...]:
    """The calls that a text in prompting mode's format makes; none if it doesn't decode."""
    try:
        decoded = decode_prompt(text, language_of(category))
    except DecodeError:
        return ()
    return tuple(Call(name, arguments) for item in decoded for name, arguments in item.items())


def _notes(script: Script, turn: int, text: str) -> str:
    """The user's message without the question and without function documentation."""
    if script.questions[turn]:
        return text.replace(script.questions[turn], " ").strip()
    official = engine.official()
    added = official.more_functions_prompt.format(functions=list(script.entry.held_out.get(turn, ())))
    return text.replace(added, " ").replace(official.more_functions_fc, " ").strip()


def _offered(mode: Mode, messages: Sequence[ChatMessage], tools: Sequence[ToolInfo]) -> frozenset[str]:
    if mode == "fc":
        return frozenset(tool.name for tool in tools)
    sentence = engine.official().more_functions_fc
    texts = (m.text for m in messages if m.role == "system" or (m.role == "user" and sentence in m.text))
    return frozenset().union(*(_documented(text) for text in texts))


@lru_cache(maxsize=1024)
def _documented(text: str) -> frozenset[str]:
    return frozenset(_DOCUMENTED.findall(text))


def progress(gold: Sequence[Call], made: Sequence[Call]) -> Progress:
    """Match made calls to gold calls: equal ones first, then wrong attempts by the function's name."""
    taken: set[int] = set()
    position = extras = 0
    keys = [call.key for call in gold]
    for call in made:
        open_steps = [*range(position, len(gold)), *range(position)]
        equal = (i for i in open_steps if i not in taken and keys[i] == call.key)
        attempted = (i for i in open_steps if i not in taken and gold[i].name == call.name)
        match = next(equal, next(attempted, None))
        if match is None:
            extras += 1
        else:
            taken.add(match)
            position = max(position, match + 1)
    return Progress(tuple(gold[position:]), position, extras)
