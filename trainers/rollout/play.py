"""Many rollouts at once: all that are under way get their next answers together."""

from collections import deque
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from kate_eval.errors import KateError, TrainingError
from kate_eval.trainers.rewards import Level, Rule
from kate_eval.trainers.rollout.appworld import open_task
from kate_eval.trainers.rollout.bfcl import open_bfcl
from kate_eval.trainers.rollout.bounds import Bounds
from kate_eval.trainers.rollout.policy import Policy, Sampled
from kate_eval.trainers.rollout.reading import Parser
from kate_eval.trainers.rollout.rollout import Played, Rollout
from kate_eval.trainers.rollout.start import FollowUps, Start, require_fit
from kate_eval.trainers.rollout.step import open_step
from kate_eval.trainers.rollout.tape import Rendering
from kate_eval.trainers.row import Row

AT_ONCE = 64
"""Rollouts under way at once; each of AppWorld's is a process."""


async def open_start(row: Row, level: Level, bounds: Bounds, follow_ups: FollowUps | None = None) -> Start:
    """Open the environment where a row's rollout begins.

    Args:
        row: at level "turn" the first of its turn, at "episode" the first of its entry.
        level: how far the rollout goes.
        bounds: of the rollout.
        follow_ups: what the user says in later turns, where that is not what the benchmark says.

    Raises:
        TrainingError: the row can't begin such a rollout, or its environment can't be opened.
    """
    require_fit(row, level)
    try:
        if level == "step":
            return open_step(row)
        if row.benchmark == "bfcl":
            return await open_bfcl(row, level, follow_ups or {})
        return await open_task(row, bounds.max_answers)
    except KateError as ex:
        raise ex if isinstance(ex, TrainingError) else TrainingError(f"Row {row.id}: {ex}") from ex


@dataclass(frozen=True)
class Player:
    """How rollouts are played.

    Attributes:
        rule: the reward; its level says how far a rollout goes.
        rendering: of the policy's tokenizer.
        bounds: of each rollout.
        parser: of calls in an answer's text.
        follow_ups: row id -> what the user says in later turns, of rows that begin an episode.
        at_once: rollouts under way at once.
    """

    rule: Rule
    rendering: Rendering
    bounds: Bounds = field(default_factory=Bounds)
    parser: Parser = "recovery"
    follow_ups: Mapping[str, FollowUps] = field(default_factory=dict)
    at_once: int = AT_ONCE

    async def play(self, rows: Sequence[Row], policy: Policy) -> list[Played]:
        """One rollout from each row (a row may stand there several times), in their order.

        Raises:
            TrainingError: an environment or a reward failed; it names the row. No rollout is left out.
        """
        waiting = deque(enumerate(rows))
        live: dict[int, Rollout] = {}
        done: dict[int, Played] = {}

        async def begin(number: int, row: Row) -> None:
            live[number] = await self._open(row)

        async def go_on(number: int, answer: Sampled) -> None:
            await live[number].take(answer)
            if live[number].over:
                done[number] = await live.pop(number).finish(self.rule)

        try:
            while policy.busy(bool(waiting or live)):
                free = min(len(waiting), self.at_once - len(live))
                await together(begin(*waiting.popleft()) for _ in range(free))
                playing = dict(live)
                answers = policy.sample([r.ids for r in playing.values()], [r.room for r in playing.values()])
                await together(map(go_on, playing, answers))
        finally:
            with anyio.CancelScope(shield=True):
                for rollout in live.values():
                    await rollout.close()
        return [done[number] for number in range(len(rows))]

    async def _open(self, row: Row) -> Rollout:
        start = await open_start(row, self.rule.level, self.bounds, self.follow_ups.get(row.id))
        rollout = Rollout(start, self.rendering, self.bounds, self.parser)
        if rollout.over:
            await rollout.close()
            raise TrainingError(
                f"Row {row.id}: its prompt has {len(rollout.ids)} tokens, which leaves no room for an answer "
                f"(context_tokens is {self.bounds.context_tokens})"
            )
        return rollout


async def together(tasks: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all at once; of several errors the first is raised, once all have ended."""
    errors: list[Exception] = []

    async def run(task: Coroutine[Any, Any, None]) -> None:
        try:
            await task
        except Exception as ex:  # raised below: alone, not in a group
            errors.append(ex)

    async with anyio.create_task_group() as group:
        for task in tasks:
            group.start_soon(run, task)
    if errors:
        raise errors[0]
