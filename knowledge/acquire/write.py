"""Writing: items, or something else, by a model, any of Inspect's, several at once, each kept as it is done.

An answer that can't be used is asked again with the reason, up to TRIES in all; then the job has failed,
which is counted and not asked again. If the endpoint fails for good, no more jobs are started, and those in
flight have GRACE_S to end; what is done stays.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import anyio
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    ResponseSchema,
)
from inspect_ai.util import JSONSchema

from kate_eval.counters import prompt_tokens
from kate_eval.errors import EndpointError, KateError, one_line
from kate_eval.knowledge.acquire.form import Job, prompt
from kate_eval.knowledge.acquire.journal import Entry, Journal

T = TypeVar("T")
TRIES = 3
SHOWN_BACK = 4000
"""Characters of an unusable answer that the model is shown again."""
CONFIG = GenerateConfig(temperature=0.0, max_tokens=3000, max_retries=5, attempt_timeout=300)
"""The method's temperature and length. What a model sets itself goes before it."""
AT_ONCE = 64
"""Jobs in flight; the model's own max_connections bounds the requests."""
GRACE_S = 60.0
"""For answers that are on their way when the endpoint has failed; the others only wait to be tried again."""
CUT_OFF = {
    "max_tokens": "the answer was cut off at the most tokens that it may have (max_tokens)",
    "model_length": "the answer was cut off at the end of the model's context",
    "content_filter": "the answer was cut off by the provider's content filter",
}
"""Reason why a model stopped -> why such an answer can't be used, whatever it says."""
Tick = Callable[[bool], None]
"""Told of each job that ended: whether it gave an item."""


@dataclass
class Written(Generic[T]):
    """What came of the jobs.

    Attributes:
        items: in the jobs' order.
        failed: form -> jobs without a usable answer.
        reasons: reason of failure -> how often.
        reused: jobs that an earlier build had already ended.
        input_tokens: used by this build.
        output_tokens: used by this build.
    """

    items: list[T] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    reused: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


async def write(
    jobs: Sequence[Job[T]],
    writer: Model,
    journal: Journal,
    retry_failed: bool = False,
    tick: Tick | None = None,
) -> Written[T]:
    """Let a model write the items of jobs.

    Args:
        jobs: what is to be written.
        writer: the model.
        journal: of the bank's folder.
        retry_failed: ask again for what failed in an earlier build.
        tick: told of each job that ended.

    Raises:
        EndpointError: the model's endpoint failed; what is done is in the journal.
    """
    run: _Run[T] = _Run(writer, journal, retry_failed)
    limiter = anyio.CapacityLimiter(AT_ONCE)

    alike: dict[str, list[int]] = {}
    for place, job in enumerate(jobs):
        alike.setdefault(job.key(str(writer)), []).append(place)

    async def ask_once(places: Sequence[int]) -> None:
        async with limiter:
            for place in places:  # equal jobs share the first one's answer, and are one for `tick`
                if run.error is None:
                    done = await run.end(place, jobs[place])
                    if done is not None and tick is not None and place == places[0]:
                        tick(done)
        if run.error is not None:
            group.cancel_scope.deadline = min(group.cancel_scope.deadline, anyio.current_time() + GRACE_S)

    async with anyio.create_task_group() as group:
        for places in alike.values():
            group.start_soon(ask_once, places)
    if isinstance(run.error, EndpointError):
        raise EndpointError(
            f"The writing model {writer} failed ({run.error}). {run.ended} of {len(jobs)} items are done and "
            "kept: run the same command again to go on"
        ) from run.error
    if run.error is not None:  # the disk's, or ours: it says what to do
        raise run.error
    run.written.items = [run.items[place] for place in sorted(run.items)]
    return run.written


def answered(jobs: Sequence[Job[T]], writer: Model, journal: Journal) -> list[T]:
    """The items of the jobs that the journal already has an answer to."""
    items = []
    for job in jobs:
        entry = journal.find(job.key(str(writer)))
        if entry is not None and not entry.failure:
            with suppress(ValueError):  # kept by a version that read answers otherwise
                items.append(job.read(entry.answer, entry.writer))
    return items


class _Run(Generic[T]):
    """The state of one `write`."""

    def __init__(self, writer: Model, journal: Journal, retry_failed: bool) -> None:
        self.writer = writer
        self.journal = journal
        self.retry_failed = retry_failed
        self.items: dict[int, T] = {}
        self.written: Written[T] = Written()
        self.ended = 0
        self.error: Exception | None = None
        self.asked: set[str] = set()

    async def end(self, place: int, job: Job[Any]) -> bool | None:
        """Bring a job to its end, from the journal or by asking: whether it gave an item; None: it failed."""
        key = job.key(str(self.writer))
        entry = self.journal.find(key)
        if entry is not None and self.journal.knows(key, self.retry_failed and key not in self.asked):
            self.written.reused += key not in self.asked
        else:
            try:
                self.asked.add(key)
                entry = await self._ask(job, key)
                self.journal.add(entry)
            except Exception as ex:  # raised by `write`, when the jobs in flight have ended
                self.error = self.error or ex
                return None
            self.written.input_tokens += entry.input_tokens
            self.written.output_tokens += entry.output_tokens
        return self._take(place, job, entry)

    def _take(self, place: int, job: Job[T], entry: Entry) -> bool:
        failure = entry.failure
        if not failure:
            try:
                self.items[place] = job.read(entry.answer, entry.writer)
            except ValueError as ex:  # kept by a version that read answers otherwise
                failure = str(ex)
        if failure:
            self.written.failed[job.form] += 1
            self.written.reasons[failure] += 1
        self.ended += 1
        return not failure

    async def _ask(self, job: Job[T], key: str) -> Entry:
        messages: list[ChatMessage] = [ChatMessageUser(content=job.prompt)]
        used = [0, 0]
        failure = ""
        writer = str(self.writer)
        for _ in range(TRIES):
            output = await self._generate(messages, job)
            _count(output, used)
            answer = output.completion if output.choices else ""
            try:
                _require_whole(output)
                job.read(answer, writer)
                return Entry(
                    key=key,
                    form=job.form,
                    writer=writer,
                    answer=answer,
                    input_tokens=used[0],
                    output_tokens=used[1],
                )
            except ValueError as ex:
                failure = str(ex)
                again = prompt("again").substitute(reason=failure)
                shown = ChatMessageAssistant(content=answer[:SHOWN_BACK] or "(nothing)")
                messages = [*messages[:1], shown, ChatMessageUser(content=again)]
        return Entry(
            key=key,
            form=job.form,
            writer=writer,
            failure=failure,
            input_tokens=used[0],
            output_tokens=used[1],
        )

    async def _generate(self, messages: list[ChatMessage], job: Job[Any]) -> ModelOutput:
        try:
            return await self.writer.generate(messages, config=config_of(self.writer, job))
        except KateError:
            raise
        except Exception as ex:  # providers raise their own types for what can't be retried
            raise EndpointError(one_line(ex)) from ex


def _require_whole(output: ModelOutput) -> None:
    """Check that an answer was not cut off.

    Raises:
        ValueError: it was.
    """
    if output.choices and output.stop_reason in CUT_OFF:
        raise ValueError(CUT_OFF[output.stop_reason])


def config_of(writer: Model, job: Job[Any]) -> GenerateConfig:
    """Our defaults where the model has no settings of its own, and the answer's schema."""
    own = writer.config.model_dump(exclude_none=True)
    config = CONFIG.model_copy(update={name: None for name in own if getattr(CONFIG, name, None) is not None})
    if job.max_tokens is not None and writer.config.max_tokens is None:
        config.max_tokens = job.max_tokens
    if job.schema is None:
        return config
    schema = ResponseSchema(name=job.form, json_schema=JSONSchema.model_validate(job.schema))
    return config.model_copy(update={"response_schema": schema})


def _count(output: ModelOutput, used: list[int]) -> None:
    if output.usage is not None:
        used[0] += prompt_tokens(output.usage)
        used[1] += output.usage.output_tokens
