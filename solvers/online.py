"""`online`: learns from its own samples. Each finished one's experience enters the bank of the next.

Samples are played one after another, in the dataset's order: a run without `--max-samples 1` ends before its
first (preflight.py). No entry is ever shown what was learned from itself or a sibling. Beyond the
paper: with feedback "score" it is told the benchmark's verdict after each sample, as a user would tell it;
with "judge" a model judges (--model-role judge=...), and nothing is known but that.
"""

import logging
import math
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from inspect_ai.log import transcript
from inspect_ai.model import get_model
from inspect_ai.scorer import CORRECT, score
from inspect_ai.solver import Generate, Solver, TaskState, solver

from kate_eval.counters import COUNTERS_KEY
from kate_eval.episode import OUTCOME_KEY, current_episode, settle
from kate_eval.errors import ConfigurationError, EndpointError, unknown
from kate_eval.knowledge.acquire.learn import LEARNABLE, experience, learned_card
from kate_eval.knowledge.acquire.logs import Played
from kate_eval.knowledge.bank import Bank
from kate_eval.knowledge.calibrate import UNCALIBRATED, hybrid_threshold, uncalibrated_hybrid
from kate_eval.knowledge.card import EmbedderCard
from kate_eval.knowledge.change import append
from kate_eval.knowledge.embed import make_embedder
from kate_eval.knowledge.folder import is_bank, load_bank
from kate_eval.knowledge.item import Experience, Origin
from kate_eval.knowledge.retrieve import require_match
from kate_eval.solvers.context import Context
from kate_eval.solvers.judge import judge
from kate_eval.solvers.loop import SOURCE, solve_sample
from kate_eval.solvers.memory import Learned, Memory, open_memory, require_own
from kate_eval.solvers.parameters import Parameters, make_parameters
from kate_eval.solvers.preflight import check_at_start

logger = logging.getLogger(__name__)

FEEDBACK = ("score", "judge")


@solver
def online(
    memory: str | None = None,
    bank: str | None = None,
    feedback: str = "score",
    prune: bool = True,
    knowledge: str | list[str] = "trajectory",
    embedder: str = "lexical",
    k: int = 3,
    threshold: float | None = None,
    match: str = "embedder",
    select: str = "top",
    budget: int | None = None,
    inject: str = "turn",
    width: int | str = 1,
    aggregate: str = "critic",
    confidence: float = 0.95,
    one_call: bool = False,
    temperature: float | None = None,
    recover: bool = True,
) -> Solver:
    """Plays samples one after another, and learns from each.

    Args:
        memory: folder where what is learned is kept; a run that was broken off goes on from it.
        bank: folder of a bank to begin with, whose items are copied into the memory.
        feedback: score (the benchmark's verdict) or judge (a model's).
        prune: leave out items whose samples succeed clearly less often than the others.
        knowledge: forms to learn and show: trajectory, summary, reflection.
        embedder: of a memory that begins with nothing.
        k: items per turn and form, at most.
        threshold: similarity that an item must exceed.
        match: embedder or hybrid.
        select: top, diverse or cover.
        budget: tokens for all experiences of a turn; the least similar are dropped first.
        inject: at every turn, or once in a sample.
        width: candidates per step, or adaptive:LOW..HIGH.
        aggregate: as of `width`, where there is more than one candidate.
        confidence: as of `width`, where that is adaptive.
        one_call: in multi-turn entries, play only the first call of a candidate.
        temperature: as of `width`; of one candidate, by default --temperature, or 0.
        recover: as of `kate`.

    Raises:
        ConfigurationError: a parameter can't be used.
        BankError: the memory or bank can't be used.
    """
    return taught(make_student(**locals()))  # every argument is one of its parameters, or of the loop


def taught(student: "Student") -> Solver:
    """The solver that plays each sample as a student does."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        await student.play(state)
        return state

    return solve


def make_student(
    memory: str | None, bank: str | None, feedback: str, prune: bool, embedder: str, **told: Any
) -> "Student":
    """What plays the samples of a run, all parameters checked.

    Raises:
        ConfigurationError: a parameter can't be used.
        BankError: the memory or bank can't be used.
    """
    if memory is None:
        raise ConfigurationError("online keeps what it learns in a folder: -S memory=banks/online")
    if feedback not in FEEDBACK:
        raise unknown("feedback", feedback, FEEDBACK)
    require_own(Path(memory))
    parameters = make_parameters(**told, bank=memory)
    for form in parameters.knowledge:
        if form not in LEARNABLE:
            raise unknown("form to learn online", form, LEARNABLE)
    start = load_bank(Path(bank)) if bank else None
    begins_with = start.card.embedder if start else embedder_of(embedder)
    require_match(begins_with.name, parameters.match)
    if parameters.match == "hybrid" and parameters.threshold is None:
        # Once: a bank that grows would be calibrated again before each sample.
        threshold = hybrid_threshold(start)[0] if start else uncalibrated_hybrid(begins_with)
        parameters = parameters.model_copy(update={"threshold": threshold})
    check_at_start()
    return Student(open_memory(Path(memory), prune), parameters, feedback, begins_with, start)


def embedder_of(name: str) -> EmbedderCard:
    """The card of an embedder for a memory that begins with nothing.

    Raises:
        ConfigurationError: there is no such embedder.
    """
    made = make_embedder(name)
    own = made.threshold if made is not None else None
    if own is not None:
        return EmbedderCard(name=name, threshold=own, calibration="the method's own")
    return EmbedderCard(name=name, threshold=UNCALIBRATED, calibration="not calibrated: the default")


class Student:
    """One run of the solver: its memory, and the lock that makes samples follow one another."""

    def __init__(
        self,
        memory: Memory,
        parameters: Parameters,
        feedback: str,
        embedder: EmbedderCard,
        start: Bank | None,
    ) -> None:
        self._memory = memory
        self._parameters = parameters
        self._feedback = feedback
        self._embedder = embedder
        self._start = start
        self._lock = anyio.Lock()
        if memory.learned:
            logger.warning("%s goes on after %d samples learned before.", memory.folder, len(memory.learned))

    async def play(self, state: TaskState) -> None:
        """Play a sample with what is known, and learn from it."""
        async with self._lock:
            await self._begin()
            episode = current_episode(state)
            position = self._memory.begin(str(state.sample_id), state.epoch)
            context = await solve_sample(
                state, self._parameters, self._memory.shelf, episode.related, position
            )
            if position is not None:
                await self._learn(state, context, position)

    async def _begin(self) -> None:
        """Tie the memory to this run, and copy the bank to begin with into it if it holds nothing yet."""
        told = self._parameters.model_dump(mode="json", exclude={"bank"})
        self._memory.bind({"model": str(get_model()), "feedback": self._feedback, "parameters": told})
        if self._start is not None and not is_bank(self._memory.folder):
            await append(self._memory.folder, self._start.items, self._start.card)

    async def _learn(self, state: TaskState, context: Context, position: int) -> None:
        sample, epoch = str(state.sample_id), state.epoch
        info: dict[str, Any] = {"kind": "online", "position": position}
        verdict = await self._verdict(state, context)
        if verdict is None:
            transcript().info(info | {"learned": "nothing: the sample was not judged"}, source=SOURCE)
            return
        items = await self._experience(state, context, *verdict)
        found = Learned(
            position=position,
            sample=sample,
            epoch=epoch,
            success=verdict[0],
            feedback=self._feedback,
            shown=tuple(dict.fromkeys(context.counters.items)),
        )
        card = learned_card(context.episode.benchmark, sample, self._embedder)
        done = await self._memory.learn(found, items, card)
        transcript().info(info | done.model_dump(mode="json"), source=SOURCE)

    async def _experience(
        self, state: TaskState, context: Context, success: bool, evidence: str
    ) -> list[Experience]:
        outcome, _ = await settle(state)
        played = Played(
            benchmark=context.episode.benchmark,
            entry=str(state.sample_id),
            outcome=outcome or state.store.get(OUTCOME_KEY) or {},
            messages=state.messages,
            success=success,
            evidence=evidence,
            judged=self._feedback == "judge",
        )
        origin = Origin(kind="run", sample=state.uuid, epoch=state.epoch, model=str(context.policy))
        writer = get_model(role="writer")
        try:
            return await experience(played, origin, self._parameters.knowledge, writer, self._memory.folder)
        except EndpointError as ex:  # the sample itself is played and scored
            transcript().info({"kind": "online", "not_written": str(ex)}, source=SOURCE)
            return []

    async def _verdict(self, state: TaskState, context: Context) -> tuple[bool, str] | None:
        """Whether the sample succeeded, and why; None where that can't be said."""
        if self._feedback == "judge":
            count = partial(context.counters.add_request, "judge")
            found = await judge(state.messages, get_model(role="judge"), count)
            state.store.set(COUNTERS_KEY, asdict(context.counters))
            return (found.success, found.reason) if found else None
        [verdict, *_] = await score(state)
        if isinstance(verdict.value, float) and math.isnan(verdict.value):
            return None
        return verdict.value in (CORRECT, 1, 1.0), verdict.explanation or ""
