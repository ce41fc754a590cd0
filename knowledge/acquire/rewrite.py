"""AppWorld trajectories in a model's own words, kept where the engine says that they still solve the task.

A model is shown a task and its solution with outputs, and writes it anew as small steps with comments. Its
answers are kept in the bank's journal like any form's; the steps are played in a contained session like any
agent's, and evaluated; a task whose new steps fail keeps its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import anyio

from kate_eval.appworld import decode, places
from kate_eval.appworld.sessions import (
    FINISH_SECONDS,
    GRACE_SECONDS,
    Limits,
    evaluate,
    open_session,
    session_limit,
)
from kate_eval.errors import BankError, EngineError
from kate_eval.knowledge.acquire import trajectory
from kate_eval.knowledge.acquire.appworld import recorded_step
from kate_eval.knowledge.acquire.build import LOCK_AT_ONCE, Asking
from kate_eval.knowledge.acquire.case import Acquired, Case
from kate_eval.knowledge.acquire.form import Job, ask
from kate_eval.knowledge.acquire.journal import Journal
from kate_eval.knowledge.acquire.write import write
from kate_eval.knowledge.folder import writing
from kate_eval.knowledge.item import Experience, RecordedStep

NAME = "rewrite"
MAX_STEPS = 40
MAX_TOKENS = 6000
AT_ONCE = 4
"""Sessions of the engine."""


def jobs(cases: Sequence[Case]) -> list[Job[Experience]]:
    """A job for each case."""
    return [_job(case) for case in cases]


def _job(case: Case) -> Job[Experience]:
    def read(answer: str, writer: str) -> Experience:
        blocks = decode.all_blocks(answer)[:MAX_STEPS]
        if not blocks:
            raise ValueError("the answer holds no block of Python between ```python and ```")
        steps = tuple(RecordedStep(code=code, output="") for code in blocks)
        return replace(case, steps=steps).item(trajectory.NAME, writer=writer)

    asked = ask(NAME, {"question": case.question, "steps": case.handling})
    return Job(NAME, asked, read, max_tokens=MAX_TOKENS)


async def rewrite(acquired: Acquired, folder: Path, asking: Asking) -> Acquired:
    """Let a model rewrite the cases' steps.

    Args:
        acquired: AppWorld's gold cases.
        folder: of the bank to be built, which keeps the answers.
        asking: the writing models.

    Raises:
        ConfigurationError: no model was named.
        BankError: the cases are not AppWorld's, or the folder is no bank.
        EndpointError: the model's endpoint failed; what is done is kept.
        EngineError: the engine failed.
    """
    world = places.world_of_benchmark(acquired.card.benchmark)
    if world is None:
        raise BankError(f"Cases of {acquired.card.benchmark} have no code that could be rewritten")
    writer = asking.model_of(NAME)
    with writing(folder, LOCK_AT_ONCE):
        written = await write(jobs(acquired.cases), writer, Journal(folder), asking.retry_failed, asking.tick)
    played = await _play_all(world, {item.sources[0]: [s.code for s in item.steps] for item in written.items})
    cases = [_with(case, played.get(case.source), str(writer)) for case in acquired.cases]
    failed = [f"{count} answers failed: {reason}" for reason, count in written.reasons.most_common(5)]
    note = (
        f"Rewritten trajectories that still solve their task: {len(played)} of {len(cases)}; the others keep "
        f"their own steps. Used: {written.input_tokens:,} input and {written.output_tokens:,} output tokens"
    )
    return replace(acquired, cases=cases, notes=(*acquired.notes, note, *failed))


def _with(case: Case, steps: tuple[RecordedStep, ...] | None, writer: str) -> Case:
    """A case with the steps that a model wrote; as it is if there are none."""
    if steps is None:
        return case
    return replace(case, steps=steps, origin=case.origin.model_copy(update={"writer": writer}))


async def _play_all(world: str, codes: Mapping[str, Sequence[str]]) -> dict[str, tuple[RecordedStep, ...]]:
    """Task -> its steps with their outputs, of the tasks that the blocks of code solve."""
    limiter = anyio.CapacityLimiter(min(AT_ONCE, session_limit()))
    solved: dict[str, tuple[RecordedStep, ...]] = {}
    errors: list[Exception] = []

    async def one(task_id: str, blocks: Sequence[str]) -> None:
        async with limiter:
            if errors:
                return
            try:
                steps = await _play(world, task_id, blocks)
            except Exception as ex:  # raised below: as a group it would not be shown as one line
                errors.append(ex)
                return
            if steps is not None:
                solved[task_id] = steps

    async with anyio.create_task_group() as group:
        for task_id, blocks in codes.items():
            group.start_soon(one, task_id, blocks)
    if errors:
        raise errors[0]
    return solved


async def _play(world: str, task_id: str, blocks: Sequence[str]) -> tuple[RecordedStep, ...] | None:
    """The steps of blocks that solve a task; None if they don't."""
    limits = Limits()
    session = await open_session(world, task_id, limits)
    try:
        steps = []
        for code in blocks:
            reply = await session.ask(limits.step_seconds + GRACE_SECONDS, code=code)
            steps.append(recorded_step(code, str(reply["output"])))
            if reply["completed"] or reply["over"]:
                break
        files = (await session.ask(FINISH_SECONDS, finish=True))["files"]
    except EngineError:  # what the model wrote ended its own session: it solves nothing
        return None
    finally:
        await session.close()
    return tuple(steps) if (await evaluate(world, task_id, files))["success"] else None
