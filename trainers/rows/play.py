"""Playing gold: an entry's episode with its gold calls, which gives every message as an eval shows it.

One step is what a model would answer once: a call (several where the benchmark expects them at once), or
the reply that ends a turn. The texts of replies and reasoning come later (written.py); no observation
depends on them.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from inspect_ai.model import ChatMessage, ChatMessageAssistant
from inspect_ai.tool import ToolInfo

from kate_eval.episode import Action, Call, Episode, Turn
from kate_eval.errors import RowsError
from kate_eval.solvers.critic import described_tools
from kate_eval.solvers.inject import Injected, Injector

Need = Literal["", "information", "function"]
"""What a turn without gold calls lacks, so that its reply must ask for it; "" where the turn is done."""
Mode = Literal["fc", "prompt", "code"]
State = Callable[[str], Awaitable[str]]
SENTENCES: dict[Need, str] = {
    "": "That is done.",
    "information": "I need one more detail before I can do this. Could you tell me what is missing?",
    "function": "None of the tools that I have can do this. Could you give me one that can?",
}
"""Closing replies where no teacher writes them: neutral, and the same for all entries."""


@dataclass(frozen=True)
class Script:
    """What is to be played.

    Attributes:
        turns: for each turn its steps, for each step its calls, by their documented names.
        needs: for each turn what its reply must ask for.
    """

    turns: Sequence[Sequence[Sequence[Call]]]
    needs: Sequence[Need]


@dataclass(frozen=True)
class PlayedStep:
    """One step.

    Attributes:
        calls: as offered to the model; none in a reply.
        message: the assistant's, with a fixed sentence for a reply.
        observations: what the environment answered.
    """

    calls: tuple[Call, ...]
    message: ChatMessageAssistant
    observations: tuple[ChatMessage, ...] = ()


@dataclass(frozen=True)
class PlayedTurn:
    """One user turn.

    Attributes:
        index: from 0.
        query: what the user asks; "" where nothing is asked.
        asked: the turn's messages as the user wrote them.
        shown: the same with experiences in them.
        knowledge: ids of the experiences.
        tools: offered as such.
        docs: the tools as text describes them.
        steps: in order.
        need: what the reply asks for.
    """

    index: int
    query: str
    asked: tuple[ChatMessage, ...]
    shown: tuple[ChatMessage, ...]
    knowledge: tuple[str, ...]
    tools: tuple[ToolInfo, ...]
    docs: tuple[dict[str, Any], ...]
    steps: tuple[PlayedStep, ...]
    need: Need = ""


@dataclass(frozen=True)
class Played:
    """One entry that was played to its end.

    Attributes:
        benchmark: it comes from.
        entry: id.
        cluster: the scenario that it varies.
        category: of the benchmark.
        mode: how answers act.
        classes: groups of tools involved.
        one_call: whether a step is exactly one call.
        turns: in order.
    """

    benchmark: str
    entry: str
    cluster: str
    category: str
    mode: Mode
    classes: tuple[str, ...]
    one_call: bool
    turns: tuple[PlayedTurn, ...]


async def play(
    episode: Episode, script: Script, injector: Injector | None = None, state: State | None = None
) -> tuple[PlayedTurn, ...]:
    """Play an episode by a script.

    Args:
        episode: fresh.
        script: its gold.
        injector: of knowledge; None for none.
        state: asks a model for a turn's intent, where a form of knowledge is retrieved by that.

    Raises:
        RowsError: a gold call does not parse to itself, or the episode ends elsewhere than its gold.
    """
    turns: list[PlayedTurn] = []
    while (turn := episode.next_turn()) is not None:
        if turn.index >= len(script.turns):
            raise RowsError(f"{episode.entry_id}: its gold has {len(script.turns)} turns, it has more")
        shown = await _with_knowledge(turn, injector, state or _no_model)
        tools, docs = tuple(episode.tools), tuple(described_tools(episode))
        need = script.needs[turn.index]
        steps = await _play_turn(episode, script.turns[turn.index], need)
        ids = tuple(hit.item.id for hit in shown.used)
        messages = tuple(shown.messages)
        turns.append(
            PlayedTurn(turn.index, turn.query, turn.messages, messages, ids, tools, docs, steps, need)
        )
    if len(turns) < len(script.turns):
        raise RowsError(f"{episode.entry_id}: it ended after {len(turns)} of {len(script.turns)} turns")
    return tuple(turns)


async def _with_knowledge(turn: Turn, injector: Injector | None, state: State) -> Injected:
    if injector is None or not injector.wants(turn):
        return Injected(list(turn.messages))
    return await injector.inject(turn, state)


async def _no_model(text: str) -> str:
    raise RowsError(
        "Forms of knowledge that are retrieved by a turn's intent need a model that states it: "
        "name one with --reasoning-from"
    )


async def _play_turn(episode: Episode, steps: Sequence[Sequence[Call]], need: Need) -> tuple[PlayedStep, ...]:
    """The gold steps, and the reply that ends the turn where the episode wants one."""
    played: list[PlayedStep] = []
    over = False
    for calls in steps:
        if over:
            raise RowsError(f"{episode.entry_id}: it was over after {len(played)} of {len(steps)} gold steps")
        action = _gold_action(episode, calls)
        observation = await episode.step(action)
        played.append(PlayedStep(action.calls, action.message, observation.messages))
        over = observation.turn_over
    if not over:
        action = episode.encode((), SENTENCES[need])
        if not (await episode.step(action)).turn_over:
            raise RowsError(f"{episode.entry_id}: it was not over after its gold")
        played.append(PlayedStep((), action.message))
    return tuple(played)


def _gold_action(episode: Episode, calls: Sequence[Call]) -> Action:
    """The gold calls as a model would write them, read back as an eval reads them."""
    offered = [_offered(episode, call) for call in calls]
    action = episode.decode(episode.encode(offered).message)
    if [call.key for call in action.calls] != [call.key for call in offered]:
        wanted = "; ".join(call.text for call in offered)
        raise RowsError(f"{episode.entry_id}: the gold call {wanted[:200]} does not parse to itself")
    return action


def _offered(episode: Episode, call: Call) -> Call:
    """The call under its offered name; code is a call already."""
    if type(call) is not Call:
        return call
    arguments = json.loads(json.dumps(call.arguments))  # a tuple comes from a server as a list
    return Call(episode.tool_name(call.name), arguments)
