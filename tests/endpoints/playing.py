"""A minimal solver for these tests: plays BFCL episodes against a simulated endpoint."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inspect_ai.model import ChatMessage, ChatMessageUser, GenerateConfig, ModelOutput
from inspect_ai.tool import ToolInfo
from inspect_ai.util import store

from kate_eval.bfcl.categories import Mode
from kate_eval.bfcl.checker import Verdict, check
from kate_eval.bfcl.data import Entry, load
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.endpoints.bfcl.script import script_of
from kate_eval.endpoints.relevance import content_words
from kate_eval.endpoints.simulated import SimulatedAPI
from kate_eval.episode import SAMPLE_KEY, Action, Call, Turn
from tests.conftest import now

Rewrite = Callable[[Entry, Turn], str]
"""(entry, turn) -> the user's text in place of the turn's query."""
Choose = Callable[[Sequence[Action]], Action]


@dataclass(frozen=True)
class Request:
    """One request on the gold path of an entry."""

    entry: Entry
    mode: Mode
    messages: tuple[ChatMessage, ...]
    tools: tuple[ToolInfo, ...]


def ask(api: SimulatedAPI, request: Request, epoch: int = 1, **config: float | int | None) -> ModelOutput:
    """Send one request."""
    tell_sample(request.entry, request.mode, epoch)
    settings = GenerateConfig.model_validate({"temperature": 0, **config})
    return asyncio.run(api.generate(list(request.messages), list(request.tools), "auto", settings))


def tell_sample(entry: Entry, mode: Mode, epoch: int = 1) -> None:
    """What a task's setup does."""
    store().set(SAMPLE_KEY, {"benchmark": "bfcl", "entry": entry.id, "epoch": epoch, "mode": mode})


def play(
    api: SimulatedAPI,
    entry: Entry,
    mode: Mode = "fc",
    rewrite: Rewrite | None = None,
    width: int = 1,
    choose: Choose | None = None,
    epoch: int = 1,
) -> Verdict:
    """Play one entry: draw `width` answers a step, keep the chosen one."""
    episode, messages = BfclEpisode(entry, mode), list[ChatMessage]()
    while turn := episode.next_turn():
        messages += rewritten(entry, turn, rewrite)
        over = False
        while not over:
            request = Request(entry, mode, tuple(messages), tuple(episode.tools))
            config = {"temperature": 1, "num_choices": width, "seed": 0} if width > 1 else {}
            output = ask(api, request, epoch, **config)
            actions = [episode.decode(choice.message) for choice in output.choices]
            if episode.one_call:
                actions = [episode.first_call(action) for action in actions]
            action = (choose or first)(actions)
            seen = now(episode.step(action))
            over = seen.turn_over
            # Calls that nobody could parse have no result to follow them, so they are kept as text.
            message = episode.encode((), action.message.text or "-").message if over else action.message
            messages += [message, *seen.messages]
    return check(entry, episode.result, mode)


def rewritten(entry: Entry, turn: Turn, rewrite: Rewrite | None) -> list[ChatMessage]:
    """The turn's messages, the query replaced."""
    messages = list(turn.messages)
    if rewrite:
        messages[-1] = ChatMessageUser(content=messages[-1].text.replace(turn.query, rewrite(entry, turn)))
    return messages


def gold_path(entry: Entry, mode: Mode = "fc", rewrite: Rewrite | None = None) -> list[Request]:
    """All requests of a play that makes no mistake."""
    api, episode = SimulatedAPI("perfect"), BfclEpisode(entry, mode)
    messages, requests = list[ChatMessage](), list[Request]()
    while turn := episode.next_turn():
        messages += rewritten(entry, turn, rewrite)
        over = False
        while not over:
            requests.append(Request(entry, mode, tuple(messages), tuple(episode.tools)))
            action = episode.decode(ask(api, requests[-1]).message)
            seen = now(episode.step(action))
            messages += [action.message, *seen.messages]
            over = seen.turn_over
    return requests


def answer_key(output: ModelOutput) -> list[tuple[str, bool]]:
    """What the answers do: the calls' canonical text, and whether they could be parsed."""
    calls = [choice.message.tool_calls or [] for choice in output.choices]
    return [
        ("\n".join(Call(c.function, c.arguments).key for c in made), any(c.parse_error for c in made))
        for made in calls
    ]


def first(actions: Sequence[Action]) -> Action:
    """No vote."""
    return actions[0]


def majority(actions: Sequence[Action]) -> Action:
    """The most frequent action."""
    keys = ["\n".join(call.key for call in action.calls) for action in actions]
    return actions[keys.index(Counter(keys).most_common(1)[0][0])]


def around(query: str, block: str) -> str:
    """A question with text in the middle, and repeated."""
    return f"{query}\n\nLook at this first:\n{block}\n\nBack to me. {query}" if block else query


def worked_examples(entry: Entry, turn: Turn) -> str:
    """The three training turns that share most words with this one, with their calls."""
    words = content_words(turn.query)
    ranked = sorted(
        (example for example in _training_turns() if example[0] & set(entry.classes)),
        key=lambda example: len(words & example[1]) / (len(words | example[1]) or 1),
    )
    return around(turn.query, "\n\n".join(text for _, _, text in ranked[-3:]))


def elsewhere(entry: Entry, turn: Turn) -> str:
    """Three training turns of other classes: long, well formed, and of no use."""
    others = [text for classes, _, text in _training_turns() if not classes & set(entry.classes)]
    return around(turn.query, "\n\n".join(others[:3]))


def _training_turns() -> list[tuple[frozenset[str], frozenset[str], str]]:
    if not _TURNS:
        for entry in load(["multi_turn_base"], "train"):
            script = script_of(entry.id, "fc")
            for question, calls, words in zip(script.questions, script.gold, script.words, strict=True):
                text = f"Somebody asked: {question}\nand was served by\n" + "\n".join(
                    call.text for call in calls
                )
                _TURNS.append((frozenset(entry.classes), words, text))
    return _TURNS


_TURNS: list[tuple[frozenset[str], frozenset[str], str]] = []
