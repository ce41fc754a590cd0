"""From a row to where its rollout begins: the environment in the state that gold leaves before the row's turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inspect_ai.tool import ToolInfo, ToolParams

from kate_eval.appworld import places
from kate_eval.appworld.data import load_task
from kate_eval.appworld.decode import code_block, read
from kate_eval.appworld.play import open_appworld
from kate_eval.appworld.sessions import Limits
from kate_eval.bfcl.categories import Mode
from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.gold import multi_turn_gold, single_turn_gold
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.endpoints.openai.request import ToolSchemas
from kate_eval.episode import Call, Episode
from kate_eval.errors import TrainingError
from kate_eval.trainers.rewards import Level
from kate_eval.trainers.rollout.tape import Json
from kate_eval.trainers.row import Row

SCHEMAS = ToolSchemas()
DONE = "Done."
"""Ends a turn of gold that is replayed; the prompt has the row's own reply."""
REBUILD = "The rows are of other data or another version: build them again (kate train rows)."


@dataclass(frozen=True)
class Start:
    """Where a rollout begins.

    Attributes:
        row: whose messages and tools are the prompt.
        level: how far it goes.
        gold: the calls to make from here to there.
        episode: the environment; None for one step, which is compared and not played.
        tools: offered at that point.
        follow_ups: turn -> what the user says then, where that is not what the benchmark says (with knowledge).
    """

    row: Row
    level: Level
    gold: tuple[Call, ...]
    episode: Episode | None
    tools: Sequence[ToolInfo]
    follow_ups: Mapping[int, Sequence[Json]] = field(default_factory=dict)


async def open_start(
    row: Row, level: Level, max_steps: int, follow_ups: Mapping[int, Sequence[Json]] | None = None
) -> Start:
    """Open the row's environment and replay gold up to the row's turn.

    Args:
        row: to begin from: any step at level "step", the first of a turn at "turn", of an entry at "episode".
        level: how far the rollout goes.
        max_steps: answers, for an environment that has such a bound of its own.
        follow_ups: what the user says in later turns, if not the benchmark's words.

    Raises:
        TrainingError: the row is none to begin from at this level, or doesn't fit the benchmark's data.
        DatasetError: the benchmark's data is missing.
        EngineError: the environment can't be opened.
    """
    if reason := unfit(row, level):
        raise TrainingError(f"Row {row.id} is no start at level {level}: {reason}")
    if level == "step":
        return Start(row, level, step_gold(row), None, [_tool(tool) for tool in row.tools])
    if row.benchmark == "bfcl":
        return _open_bfcl(row, level, follow_ups or {})
    episode = await _open_appworld(row, max_steps)
    return Start(row, level, (), episode, [])


def unfit(row: Row, level: Level) -> str | None:
    """Why a row can't begin a rollout at this level; None if it can."""
    if row.kind != "step":
        return f"it is of kind {row.kind}"
    if level != "step" and row.step:
        return "it is not the first step of its turn"
    if level == "episode" and row.turn:
        return "it is not the first turn"
    if level == "turn" and row.benchmark != "bfcl":
        return f"{row.benchmark} checks whole tasks only (reward episode)"
    if row.benchmark != "bfcl" and places.world_of_benchmark(row.benchmark) is None:
        return f"there is no environment of {row.benchmark!r}"
    return None


def step_gold(row: Row) -> tuple[Call, ...]:
    """The calls of the row's own answer."""
    if row.mode == "fc":
        return row.calls
    text = str(row.completion.get("content") or "")
    return step_calls(row, text)[0]


def step_calls(row: Row, text: str) -> tuple[tuple[Call, ...], bool]:
    """The calls in the text of an answer in mode "prompt" or "code", and whether it can't be read."""
    if row.mode == "code":
        written = read(text)
        return ((code_block(written.code),) if written.code is not None else ()), False
    action = BfclEpisode(load_entry(row.entry), "prompt").decode_text(text)
    return action.calls, action.error is not None


def _tool(schema: Json) -> ToolInfo:
    function = schema["function"]
    return ToolInfo(
        name=function["name"],
        description=function["description"],
        parameters=ToolParams.model_validate(function["parameters"]),
    )


def _open_bfcl(row: Row, level: Level, follow_ups: Mapping[int, Sequence[Json]]) -> Start:
    entry = load_entry(row.entry)
    mode: Mode = "prompt" if row.mode == "prompt" else "fc"
    episode = BfclEpisode(entry, mode)
    turns = multi_turn_gold(entry) if entry.multi_turn else [single_turn_gold(entry)]
    return Start(row, level, (), episode, [])
