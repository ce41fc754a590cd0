"""What an environment shows a solver: an Episode. Benchmarks know no solver, solvers no benchmark.

A task's setup opens one Episode per sample attempt and its cleanup closes it. Live objects can't be
kept in Inspect's store (they would be logged as null), so they wait here, keyed by the sample's uuid.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from inspect_ai.model import ChatMessage, ChatMessageAssistant
from inspect_ai.solver import TaskState
from inspect_ai.tool import ToolInfo
from inspect_ai.util import sample_limits

from kate_eval.errors import EngineError, EpisodeError


@dataclass(frozen=True)
class Call:
    """One tool call: the tool's name as offered to the model, and its arguments by name."""

    name: str
    arguments: dict[str, Any]

    @property
    def key(self) -> str:
        """Canonical text: equal calls have equal keys, whatever the order of their arguments."""
        return f"{self.name}({json.dumps(plain(self.arguments), sort_keys=True)})"

    @property
    def text(self) -> str:
        """The call as Python text, "f(x=1, y='a')"."""
        return f"{self.name}({', '.join(f'{name}={_text(value)}' for name, value in self.arguments.items())})"


MAX_DEPTH = 64
MAX_DIGITS = 4300
"""CPython's own limit for writing an integer in decimal."""


def plain(value: Any, depth: int = 0) -> Any:
    """Any argument that a model may write, as JSON data: for comparing, showing and logging calls.

    What JSON can't express becomes text; nothing raises. 1 and 1.0 stay different: checkers tell them apart.
    """
    if depth > MAX_DEPTH:
        return "(nested too deep to show)"
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if value.bit_length() < 3 * MAX_DIGITS else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, dict):
        return {k if isinstance(k, str) else f"({k!r})": plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    return value.text if isinstance(value, Call) else repr(value)


def _text(value: Any) -> str:
    if isinstance(value, Call):  # prompting mode: a call as another call's argument
        return value.text
    if isinstance(value, dict):
        return "{" + ", ".join(f"'{key}': {_text(item)}" for key, item in value.items()) + "}"
    return repr(value)


@dataclass(frozen=True)
class Action:
    """What the agent does in one step: tool calls, or (with none) a reply that ends its turn.

    Attributes:
        message: the assistant message that goes into the conversation.
        calls: the decoded calls, in order; empty for a reply or an undecodable answer.
        error: why the answer could not be decoded, if it could not.
        written: the model's own message, where that can't stand in the conversation.
        thought: what the model said before its calls, where the message's text holds both.
    """

    message: ChatMessageAssistant
    calls: tuple[Call, ...] = ()
    error: str | None = None
    written: ChatMessageAssistant | None = None
    thought: str = ""


@dataclass(frozen=True)
class Turn:
    """The start of a user turn: what the user says, and the text to retrieve knowledge by ("": none)."""

    index: int
    messages: tuple[ChatMessage, ...]
    query: str


@dataclass(frozen=True)
class Observation:
    """What the environment answers to an action: messages to append, and whether the turn is over."""

    messages: tuple[ChatMessage, ...]
    turn_over: bool


class Episode(Protocol):
    """One sample's environment, for one attempt. Not shared, not reused."""

    benchmark: str
    entry_id: str
    related: frozenset[str]
    """Ids of all entries that share this one's scenario, itself included: knowledge of them would leak."""
    classes: frozenset[str]
    """Groups of tools the entry involves; empty where the benchmark has none."""
    one_call: bool
    """Whether the method's "one call per step" applies (multi-turn environments)."""

    @property
    def tools(self) -> Sequence[ToolInfo]:
        """The tools offered now, as the model's tool list (empty where the prompt describes them)."""

    @property
    def docs(self) -> Sequence[dict[str, Any]]:
        """The documentation of the tools offered now, for prompts that must describe them in text."""

    def next_turn(self) -> Turn | None:
        """Start the next user turn; None when the episode is over."""

    def decode(self, message: ChatMessageAssistant) -> Action:
        """Turn a model's answer into an action. Never raises for what a model wrote."""

    def encode(self, calls: Sequence[Call], reply: str = "") -> Action:
        """Build the action for given calls (or, with none, a reply) in the model's own format."""

    def tool_name(self, name: str) -> str:
        """The name under which a documented function is offered to the model."""

    def first_call(self, action: Action) -> Action:
        """The action cut down to its first call."""

    async def step(self, action: Action) -> Observation:
        """Play the action."""

    async def outcome(self) -> dict[str, Any]:
        """What a scorer needs, as JSON data: it must suffice to score the sample again from its log.

        "over" says whether the entry was played to its end. Nothing can be played after this.
        """

    async def close(self) -> None:
        """Give back what the episode holds; safe to call twice."""


SAMPLE_KEY = "kate:sample"
"""Store key: which entry is played ({"benchmark", "entry", "epoch", "mode"})."""
OUTCOME_KEY = "kate:outcome"
"""Store key: the episode's outcome."""
FAILURE_KEY = "kate:failure"
"""Store key: why the sample can't be scored; None if it can."""

LIMIT_KEY = "kate:limit"
"""Store key: set where a solver of ours saw a limit end the sample."""

_LIVE: dict[str, Episode] = {}


def open_episode(state: TaskState, episode: Episode) -> None:
    """Register the live episode of a sample attempt."""
    _LIVE[state.uuid] = episode


def current_episode(state: TaskState) -> Episode:
    """The live episode of the sample.

    Raises:
        EpisodeError: no task of ours set one up for this sample.
    """
    episode = _LIVE.get(state.uuid)
    if episode is None:
        raise EpisodeError(
            f"No episode is open for sample {state.sample_id!r}. This solver plays kate-eval tasks, "
            "for instance: inspect eval kate_eval/bfcl --solver kate"
        )
    return episode


async def settle(state: TaskState) -> tuple[dict[str, Any] | None, str | None]:
    """The episode's outcome, and why it can't be scored (None if it can); for scorers.

    An entry that was not played to its end can be scored only if a limit ended it: that is the model's
    doing. Anything else (an endpoint's error, a solver's, a cancellation) is a failure, not a wrong answer.
    Both are kept in the store, so that a log can be scored again; the first scorer's finding stands.
    """
    episode = _LIVE.get(state.uuid)
    if episode is not None and FAILURE_KEY not in state.store:
        try:
            outcome = await episode.outcome()
        except EngineError as ex:
            state.store.set(FAILURE_KEY, str(ex))
            return None, str(ex)
        scorable = outcome["over"] or LIMIT_KEY in state.store or _limit_reached()
        state.store.set(OUTCOME_KEY, outcome)
        state.store.set(FAILURE_KEY, None if scorable else "the solver ended before the entry was over")
    return state.store.get(OUTCOME_KEY), state.store.get(FAILURE_KEY, "no episode was played")


def _limit_reached() -> bool:
    """Whether usage tells of a limit, for solvers that don't. A request of many messages is not in it."""
    limits = sample_limits()
    every = (limits.token, limits.message, limits.time, limits.working, limits.cost)
    return any(limit.limit is not None and limit.usage >= limit.limit for limit in every)


async def close_episode(state: TaskState) -> None:
    """Drop the sample's episode; safe to call twice."""
    episode = _LIVE.pop(state.uuid, None)
    if episode is not None:
        await episode.close()
