"""The loop: for each user turn inject knowledge, then sample, aggregate and step until the turn is over.

Everything a step was decided by goes into the transcript, so that `inspect view` explains it.
"""

import time
from collections.abc import Sequence, Set
from dataclasses import asdict
from typing import Any

from inspect_ai.log import transcript
from inspect_ai.model import ChatMessageUser, GenerateConfig, get_model
from inspect_ai.solver import Generate, Solver, TaskState
from inspect_ai.util import LimitExceededError, span

from kate_eval.counters import COUNTERS_KEY, PROVENANCE_KEY, Counters
from kate_eval.episode import LIMIT_KEY, Turn, current_episode
from kate_eval.solvers.aggregate import decide
from kate_eval.solvers.candidate import Candidate
from kate_eval.solvers.context import Context
from kate_eval.solvers.decision import Decision
from kate_eval.solvers.inject import Injected, Injector, Source, open_bank
from kate_eval.solvers.parameters import Parameters, prompts_hash
from kate_eval.solvers.preflight import check_at_start
from kate_eval.solvers.sample import SAMPLERS

SOURCE = "kate"


def loop(parameters: Parameters) -> Solver:
    """A solver that plays the sample's episode with these parameters.

    Raises:
        BankError: the bank that they name can't be used.
    """
    check_at_start()
    forms = parameters.knowledge
    told = parameters.bank, forms, parameters.match, parameters.threshold
    source = open_bank(*told) if forms else None

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        await solve_sample(state, parameters, source)
        return state

    return solve


async def solve_sample(
    state: TaskState,
    parameters: Parameters,
    source: Source | None,
    exclude: Set[str] = frozenset(),
    position: int | None = None,
) -> Context:
    """Play one sample's episode.

    Args:
        state: of the sample; its messages and store are filled.
        parameters: of the solver.
        source: of knowledge; None for none.
        exclude: entries whose items are never shown.
        position: of the sample in an online run.
    """
    context = Context(
        episode=current_episode(state),
        parameters=parameters,
        counters=Counters(knowledge=bool(parameters.knowledge), position=position),
        policy=get_model(),
        critic=get_model(role="critic"),
    )
    try:
        await _play(context, state, source, exclude)
    except LimitExceededError:
        state.store.set(LIMIT_KEY, True)
        raise
    finally:
        state.messages = context.conversation
        state.store.set(COUNTERS_KEY, asdict(context.counters))
    return context


async def _play(context: Context, state: TaskState, source: Source | None, exclude: Set[str]) -> None:
    parameters = context.parameters
    shelf = source(context.episode.benchmark) if source else None
    injector = Injector(parameters, context.episode, shelf, exclude) if shelf else None
    provenance: dict[str, Any] = {"parameters": parameters.model_dump(), "prompts_hash": prompts_hash()}
    if injector is not None:
        provenance |= injector.provenance()
        context.counters.leaked = bool(injector.leaked)
    state.store.set(PROVENANCE_KEY, provenance)
    while (turn := context.episode.next_turn()) is not None:
        async with span(f"turn {turn.index + 1}"):
            await _start_turn(context, turn, injector)
            while not await _step(context):
                pass


async def _start_turn(context: Context, turn: Turn, injector: Injector | None) -> None:
    counters = context.counters
    counters.turns += 1
    nearest = injector.nearest(turn) if injector is not None and turn.query else None
    if nearest is not None:  # of every turn, so that strata mean the same for every `inject`
        counters.nearest = max(counters.nearest or 0.0, nearest)
    if injector is None or not injector.wants(turn):
        context.conversation.extend(turn.messages)
        return

    async def state_intent(text: str) -> str:
        config = GenerateConfig(temperature=0.0)
        output = await context.ask([ChatMessageUser(content=text)], [], config, role="intent")
        counters.extra_requests += 1
        return output.choices[0].message.text

    done = await injector.inject(turn, state_intent)
    context.conversation.extend(done.messages)
    counters.searches += 1
    counters.hits += bool(done.used)
    counters.items += [hit.item.id for hit in done.used]
    transcript().info(_knowledge_info(turn, done, injector.threshold) | {"nearest": nearest}, source=SOURCE)


async def _step(context: Context) -> bool:
    """Play one step; True when the turn is over."""
    began = time.monotonic()
    candidates = await SAMPLERS[context.parameters.sampling](context)
    decision = await decide(candidates, context)
    context.counters.step_ms.append(round(1000 * (time.monotonic() - began)))
    if len(candidates) > 1:
        transcript().info(_decision_info(context, candidates, decision), source=SOURCE)
    for candidate in candidates:
        if candidate.recovered is not None:
            transcript().info(_recovery_info(candidate), source=SOURCE)
    context.counters.steps += 1
    context.conversation.append(decision.action.message)
    observation = await context.episode.step(decision.action)
    context.conversation.extend(observation.messages)
    context.window.add(observation.messages)
    return observation.turn_over


def _knowledge_info(turn: Turn, done: Injected, threshold: float) -> dict[str, Any]:
    return {
        "kind": "knowledge",
        "turn": turn.index + 1,
        "threshold": threshold,
        "intent": done.intent,
        "retrieved": [
            {
                "item": hit.item.id,
                "sources": list(hit.item.sources),
                "form": hit.item.form,
                "similarity": hit.similarity,
                "question": hit.item.question,
                "calls": [call.call().text for call in hit.item.calls],
                "steps": [step.model_dump() for step in hit.item.steps],
                "text": hit.item.text,
                "workflow": list(hit.item.workflow),
            }
            for hit in done.used
        ],
        "dropped_by_budget": [hit.item.id for hit in done.dropped],
    }


def _recovery_info(candidate: Candidate) -> dict[str, Any]:
    return {"kind": "recovered", "found_by": candidate.recovered, **candidate.describe()}


def _decision_info(context: Context, candidates: Sequence[Candidate], decision: Decision) -> dict[str, Any]:
    taken = Candidate(decision.action, "", "").describe()
    return {
        "kind": "decision",
        "turn": context.counters.turns,
        "step": context.counters.steps + 1,
        "how": decision.how,
        "action": taken,
        "candidates": [
            {**candidate.describe(), "reasoning": candidate.reasoning, "undecodable": candidate.action.error}
            for candidate in candidates
        ],
        **decision.evidence,
    }
