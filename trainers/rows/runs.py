"""The rows of one logged sample: what was done rightly, as the model wrote it.

Of BFCL's multi-turn entries every turn before the first that the checkers reject gives rows, of other
samples those that passed. BFCL's are replayed: where the environment answers otherwise than the log says,
there are no rows. Left out are answers that could not be read, and the calls of turns whose gold is empty,
which no checker looks at.

A choice among candidates gives an aggregation row where the right one is known: in BFCL while all calls so
far were gold's, in AppWorld what was taken in a task that was solved.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from inspect_ai.event import InfoEvent
from inspect_ai.log import EvalSample
from inspect_ai.model import ChatMessage, ChatMessageAssistant

from kate_eval.appworld import data as appworld_data
from kate_eval.appworld import decode as code
from kate_eval.appworld import places
from kate_eval.appworld.play import python_doc
from kate_eval.bfcl import data as bfcl_data
from kate_eval.bfcl.categories import Mode as BfclMode
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.endpoints.openai.messages import encode_messages
from kate_eval.endpoints.openai.request import ToolSchemas
from kate_eval.episode import Action, Call
from kate_eval.knowledge.acquire.bfcl import turns_passed
from kate_eval.knowledge.acquire.logs import Played
from kate_eval.knowledge.item import Origin
from kate_eval.solvers.candidate import Candidate, tally
from kate_eval.solvers.critic import described_tools
from kate_eval.solvers.loop import SOURCE
from kate_eval.trainers.row import Json, Row
from kate_eval.trainers.rows.aggregation import Asked, aggregation_row, answer, candidate
from kate_eval.trainers.rows.play import SENTENCES

SHAPE = "the log's conversation is not as a solver of ours leaves it"
_SCHEMAS = ToolSchemas()
_ITEM = re.compile(r"([^/]+)/\d+/")
"""How the id of an item begins that is of one turn of an entry."""


@dataclass(frozen=True)
class Run:
    """A logged sample.

    Attributes:
        played: what was played, with the verdict.
        origin: of its rows.
        sample: with its transcript.
        width: candidates of an aggregation row at most; 0: no such rows.
    """

    played: Played
    origin: Origin
    sample: EvalSample
    width: int = 0

    @cached_property
    def told(self) -> Mapping[str, Mapping[int, Json]]:
        """What the transcript tells: knowledge by turn, decisions by step, both from 1."""
        found: dict[str, dict[int, Json]] = {"knowledge": {}, "decision": {}}
        places = {"knowledge": "turn", "decision": "step"}
        for event in self.sample.events:
            if isinstance(event, InfoEvent) and event.source == SOURCE and isinstance(event.data, dict):
                data = cast(Json, event.data)
                if (kind := str(data.get("kind"))) in places:
                    found[kind][int(data[places[kind]])] = data
        return found

    def items(self, turn: int) -> tuple[str, ...]:
        """Ids of the items that a turn (from 1) was shown."""
        shown = self.told["knowledge"].get(turn, {"retrieved": ()})["retrieved"]
        return tuple(str(hit["item"]) for hit in shown)

    @property
    def made_from(self) -> dict[str, frozenset[str]]:
        """Item that the prompts show -> the entries it was made from; none where the log does not tell."""
        hits = [hit for told in self.told["knowledge"].values() for hit in told["retrieved"]]
        return {str(hit["item"]): frozenset(_sources(hit)) for hit in hits}

    def candidates(self, step: int) -> list[Candidate]:
        """The distinct candidates of a step (from 1) that could be read, most frequent first."""
        told = self.told["decision"].get(step)
        if told is None or self.width < 2:
            return []
        found = [_candidate(one) for one in told["candidates"] if not one.get("undecodable")]
        return [one for one, _ in tally(found)][: self.width] if found else []

    def row(self, **fields: Any) -> Row:
        """A row of this run."""
        origin = self.origin
        place = f"{self.played.entry}/{fields['turn']}/{fields['step']}"
        return Row(
            id=f"{place}/{origin.log}/{origin.epoch}/{origin.sample or self.sample.id}/step",
            benchmark=self.played.benchmark,
            entry=self.played.entry,
            origin=origin,
            **fields,
        )


def _sources(hit: Json) -> list[str]:
    """Of an item in a transcript; older ones tell an entry by the item's id alone."""
    if "sources" in hit:
        return list(map(str, hit["sources"]))
    named = _ITEM.match(str(hit["item"]))
    return [named[1]] if named else []


def _candidate(told: Json) -> Candidate:
    calls = [_call(str(call["name"]), dict(call["arguments"])) for call in told.get("calls", ())]
    return candidate(calls, str(told.get("reply", "")), True, str(told.get("reasoning", "")))


def _call(name: str, arguments: dict[str, Any]) -> Call:
    return code.code_block(str(arguments.get("code"))) if name == code.TOOL else Call(name, arguments)


async def run_rows(run: Run) -> list[Row]:
    """The rows of one sample; none where nothing was done rightly.

    Raises:
        ValueError: it is not in the shape that our solvers leave, or the environment answers otherwise now.
    """
    if run.played.benchmark == "bfcl":
        return await _BfclRun(run).rows()
    return _code_rows(run) if run.played.success else []


class _BfclRun:
    """A BFCL sample, replayed message by message."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._messages = run.sample.messages
        self._entry = bfcl_data.load_entry(run.played.entry)
        self._mode = cast(BfclMode, run.played.outcome["mode"])
        self._result: Any = run.played.outcome["result"]
        self._episode = BfclEpisode(self._entry, self._mode)
        self._gold = multi_turn_gold(self._entry) if self._entry.multi_turn else None
        self._place = 0
        self._answers = 0
        self._encoded: list[Json] = []
        self._knowledge: tuple[str, ...] = ()
        self._on_gold = self._gold is not None
        """Whether all calls so far were gold's: only then is the gold choice of a step known."""
        self._rows: list[Row] = []

    async def rows(self) -> list[Row]:
        """The rows of the turns that passed."""
        played = self._run.played
        passed = int(played.success)
        if self._gold is not None:
            passed = turns_passed(self._entry, dict(played.outcome))
        for index in range(passed):
            turn = self._episode.next_turn()
            if turn is None:
                raise ValueError("the log has more turns than the entry")
            self._go_on(turn.messages)  # they may have experiences in them
            self._knowledge = tuple(dict.fromkeys((*self._knowledge, *self._run.items(index + 1))))
            await self._play_turn(index)
        return self._rows

    async def _play_turn(self, index: int) -> None:
        over, step = False, 0
        made: list[Call] = []
        while not over:
            message = self._messages[self._place] if self._place < len(self._messages) else None
            if not isinstance(message, ChatMessageAssistant):
                raise ValueError(SHAPE)
            self._answers += 1
            action = self._episode.decode(message)
            if self._wanted(action, index, step):
                row = self._row(message, index, step)
                self._rows += [row, *self._choice(row, index, made)]
            self._go_on([message])
            observation = await self._episode.step(action)
            logged = self._go_on(observation.messages)
            if [one.text for one in logged] != [one.text for one in observation.messages]:
                raise ValueError("the environment answers otherwise than the log says")
            made += action.calls
            over, step = observation.turn_over, step + 1
        if self._gold is not None:
            self._on_gold = self._on_gold and _keys(made) == _keys(self._gold[index])

    def _go_on(self, expected: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
        """The logged messages in place of those that are expected next."""
        logged = self._messages[self._place : self._place + len(expected)]
        if [message.role for message in logged] != [message.role for message in expected]:
            raise ValueError(SHAPE)
        self._place += len(expected)
        self._encoded += encode_messages(logged)
        return logged

    def _wanted(self, action: Action, index: int, step: int) -> bool:
        """Whether an answer is one to learn from."""
        response = self._result if self._gold is None else self._result[index][step]
        unread = action.error is not None or (isinstance(response, list) and not action.calls)
        unchecked = self._gold is not None and not self._gold[index] and bool(action.calls)
        return not unread and not unchecked

    def _row(self, message: ChatMessage, index: int, step: int) -> Row:
        return self._run.row(
            cluster=self._entry.cluster,
            turn=index,
            step=step,
            mode=self._mode,
            messages=tuple(self._encoded),
            tools=tuple(schema.data for schema in _SCHEMAS.of(self._episode.tools)),
            completion=encode_messages([message])[0],
            knowledge=self._knowledge,
        )

    def _choice(self, row: Row, index: int, made: Sequence[Call]) -> list[Row]:
        """The choice that was to be made at a step whose gold is known."""
        if self._gold is None or not self._on_gold or _keys(made) != _keys(self._gold[index][: len(made)]):
            return []
        shown = self._run.candidates(self._answers)
        if len(shown) < 2 or any(len(one.action.calls) > 1 for one in shown):
            return []
        right = self._gold[index][len(made) : len(made) + 1]
        replies = [one.action.message.text for one in shown if not one.action.calls] or [SENTENCES[""]]
        asked = Asked(shown, "logs", answer(right, "" if right else replies[0], ""))
        conversation = self._messages[: self._place]
        return [aggregation_row(row, asked, conversation, described_tools(self._episode), True)]


def _keys(calls: Sequence[Call]) -> list[str]:
    return [call.key for call in calls]


def _code_rows(run: Run) -> list[Row]:
    """The answers with code of a task that was solved."""
    world = places.world_of_benchmark(run.played.benchmark)
    if world is None:
        raise ValueError(f"no rows are known of the benchmark {run.played.benchmark!r}")
    cluster = appworld_data.load_task(world, run.played.entry).scenario
    messages = run.sample.messages
    encoded = encode_messages(messages)
    answers = [place for place, message in enumerate(messages) if message.role == "assistant"]
    rows: list[Row] = []
    for number, place in enumerate(answers):
        written = code.read(messages[place].text).code
        if written is None:
            continue
        row = run.row(
            cluster=cluster,
            turn=0,
            step=number,
            mode="code",
            messages=tuple(encoded[:place]),
            completion=encoded[place],
            knowledge=run.items(1),
        )
        rows.append(row)
        shown = run.candidates(number + 1)
        if len(shown) >= 2:
            asked = Asked(shown, "logs", answer([code.code_block(written)], "", ""))
            rows.append(aggregation_row(row, asked, messages[:place], [python_doc()], True))
    return rows
