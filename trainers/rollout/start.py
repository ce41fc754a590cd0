"""From a row to where its rollout begins: what is offered there, what gold does from there, who judges it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inspect_ai.tool import ToolInfo, ToolParams

from kate_eval.appworld import places
from kate_eval.episode import Call, Episode
from kate_eval.errors import TrainingError
from kate_eval.trainers.rewards import EngineTest, Level
from kate_eval.trainers.row import Row

Json = dict[str, Any]
FollowUps = Mapping[int, Sequence[Json]]
"""Turn -> what the user says in it, where that is not what the benchmark says: its words with knowledge."""


@dataclass(frozen=True)
class Judgement:
    """The official finding on what was played; see `Findings`."""

    accepted: bool | None = None
    tests: tuple[EngineTest, ...] | None = None


async def no_judgement() -> Judgement:
    """Of a step: it is compared, not played."""
    return Judgement()


@dataclass(frozen=True)
class Start:
    """Where a rollout begins.

    Attributes:
        row: whose messages and tools are the prompt.
        level: how far the rollout goes.
        gold: the calls to make from here to there.
        tools: offered at the start, as Inspect has them.
        episode: the environment, its turn begun; None for one step, which is compared and not played.
        judge: asks for the official finding once the rollout is over.
        follow_ups: of later turns.
    """

    row: Row
    level: Level
    gold: tuple[Call, ...]
    tools: Sequence[ToolInfo] = ()
    episode: Episode | None = None
    judge: Callable[[], Awaitable[Judgement]] = no_judgement
    follow_ups: FollowUps = field(default_factory=dict)


def unfit(row: Row, level: Level) -> str | None:
    """Why a row can't begin a rollout at this level; None if it can."""
    appworld = places.world_of_benchmark(row.benchmark) is not None
    if row.benchmark != "bfcl" and not appworld:
        return f"there is no environment of {row.benchmark!r}"
    if row.kind != "step":
        return f"it is of kind {row.kind}"
    if level != "step" and row.step:
        return "it is not the first step of its turn"
    if level == "episode" and row.turn:
        return "it is not the first turn"
    if level != "step" and row.turn and row.origin.kind != "gold":
        return "the turns before it are a run's, and only gold's state can be restored"
    if level == "turn" and appworld:
        return f"{row.benchmark} judges whole tasks only: --reward episode"
    return None


def require_fit(row: Row, level: Level) -> None:
    """Check that a row can begin a rollout.

    Raises:
        TrainingError: it can't.
    """
    if reason := unfit(row, level):
        raise TrainingError(f"Row {row.id} is no start for a rollout of one {level}: {reason}")


def tools_of(row: Row) -> list[ToolInfo]:
    """The tools that a row offers, as Inspect has them."""
    functions = [tool["function"] for tool in row.tools]
    return [
        ToolInfo(
            name=function["name"],
            description=function["description"],
            parameters=ToolParams.model_validate(function["parameters"]),
        )
        for function in functions
    ]


def misfit(row: Row, what: str) -> TrainingError:
    """The error for a row that doesn't fit the benchmark's data."""
    return TrainingError(
        f"Row {row.id} doesn't fit the benchmark's data: {what}. The rows are of another version: "
        "build them again (kate train rows)"
    )
