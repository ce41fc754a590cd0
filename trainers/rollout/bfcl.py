"""BFCL's rows as starts: gold is replayed up to the row's turn, and the official checkers judge."""

from collections.abc import Sequence

from kate_eval.bfcl.categories import Mode
from kate_eval.bfcl.checker import check, first_fault
from kate_eval.bfcl.data import Entry, load_entry
from kate_eval.bfcl.gold import multi_turn_gold, single_turn_gold
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.endpoints.openai.request import ToolSchemas
from kate_eval.episode import Call, Turn
from kate_eval.errors import TrainingError
from kate_eval.trainers.rewards import Level
from kate_eval.trainers.rollout.start import FollowUps, Judgement, Start, misfit
from kate_eval.trainers.row import Row

SCHEMAS = ToolSchemas()
DONE = "Done."
"""Ends a replayed turn in the environment. The prompt has the reply that the row has."""


async def open_bfcl(row: Row, level: Level, follow_ups: FollowUps) -> Start:
    """The start at a row's turn, in the state that gold leaves before it.

    Raises:
        DatasetError: there is no such entry.
        TrainingError: the row is not what the entry says.
    """
    entry = load_entry(row.entry)
    mode = mode_of(row)
    episode = BfclEpisode(entry, mode)
    turns = _gold(entry, episode)
    if row.turn >= len(turns):
        raise misfit(row, f"the entry has {len(turns)} turns")
    turn = await _replay(episode, turns[: row.turn])
    _check(row, episode, turn)
    wanted = turns[row.turn : row.turn + 1] if level == "turn" else turns[row.turn :]
    gold = tuple(call for calls in wanted for call in calls)

    async def judge() -> Judgement:
        return Judgement(_accepted(entry, episode, mode, row, level))

    return Start(row, level, gold, episode.tools, episode, judge, follow_ups)


def mode_of(row: Row) -> Mode:
    """How BFCL's calls are written in a row."""
    return "prompt" if row.mode == "prompt" else "fc"


def _gold(entry: Entry, episode: BfclEpisode) -> list[list[Call]]:
    """Gold's calls by turn, under the names that are offered."""
    turns = multi_turn_gold(entry) if entry.multi_turn else [single_turn_gold(entry)]
    return [[Call(episode.tool_name(call.name), call.arguments) for call in calls] for calls in turns]


async def _replay(episode: BfclEpisode, turns: Sequence[Sequence[Call]]) -> Turn | None:
    """Play gold's turns and begin the one after them. A turn's calls are one step: some are over 21."""
    turn = episode.next_turn()
    for calls in turns:
        if calls:
            await episode.step(episode.encode(calls))
        await episode.step(episode.encode([], DONE))
        turn = episode.next_turn()
    return turn


def _check(row: Row, episode: BfclEpisode, turn: Turn | None) -> None:
    """A row of other data would be rewarded for other questions, and one of other tools for other calls.

    Raises:
        TrainingError: it is one.
    """
    asked = turn.messages[-1].text if turn is not None and turn.messages else ""
    if turn is None or asked not in str(row.messages[-1].get("content")):
        raise misfit(row, "the question of its turn does not stand in its last message")
    if list(row.tools) != [schema.data for schema in SCHEMAS.of(episode.tools)]:
        raise misfit(row, "its tools are not those that are offered there")


def _accepted(entry: Entry, episode: BfclEpisode, mode: Mode, row: Row, level: Level) -> bool:
    """The official verdict on the turn, or on the whole entry.

    Raises:
        TrainingError: the checkers reject the gold that was replayed.
    """
    result = episode.result
    if not entry.multi_turn or level == "episode":
        return check(entry, result, mode).correct
    fault = first_fault(entry, result, mode)
    if fault is not None and fault[0] < row.turn:
        raise TrainingError(
            f"Row {row.id}: gold's turn {fault[0]} before it is rejected: {fault[1].message[:200]}"
        )
    return fault is None
