"""The loop: for each user turn inject knowledge, then sample, aggregate and step until the turn is over.

Everything a step was decided by goes into the transcript, so that `inspect view` explains it.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from inspect_ai.log import transcript
from inspect_ai.model import get_model
from inspect_ai.solver import Generate, Solver, TaskState
from inspect_ai.util import span

from kate_eval.counters import COUNTERS_KEY, PROVENANCE_KEY, Counters
from kate_eval.episode import Turn, current_episode
from kate_eval.knowledge.retrieve import Retrieved
from kate_eval.solvers.aggregate import Decision, decide
from kate_eval.solvers.candidate import Candidate
from kate_eval.solvers.context import Context
from kate_eval.solvers.inject import Injector, Source, open_bank
from kate_eval.solvers.parameters import Parameters, prompts_hash
from kate_eval.solvers.sample import SAMPLERS

SOURCE = "kate"


def loop(parameters: Parameters) -> Solver:
    """A solver that plays the sample's episode with these parameters.

    Raises:
        BankError: the bank that they name can't be used.
    """
    source = open_bank(parameters.bank, parameters.knowledge) if parameters.knowledge else None

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        context = Context(
            episode=current_episode(state),
            parameters=parameters,
            counters=Counters(knowledge=bool(parameters.knowledge)),
            policy=get_model(),
            critic=get_model(role="critic"),
        )
        try:
            await _play(context, state, source)
        finally:
            state.messages = context.conversation
            state.store.set(COUNTERS_KEY, asdict(context.counters))
        return state

    return solve


async def _play(context: Context, state: TaskState, source: Source | None) -> None:
    parameters = context.parameters
    injector = Injector(parameters, context.episode, source) if source else None
    provenance: dict[str, Any] = {"parameters": parameters.model_dump(), "prompts_hash": prompts_hash()}
    if injector is not None:
        provenance |= injector.provenance()
        context.counters.leaked = bool(injector.leaked)
    state.store.set(PROVENANCE_KEY, provenance)
    while (turn := context.episode.next_turn()) is not None:
        async with span(f"turn {turn.index + 1}"):
            _start_turn(context, turn, injector)
            while not await _step(context):
                pass


def _start_turn(context: Context, turn: Turn, injector: Injector | None) -> None:
    context.counters.turns += 1
    if injector is None or not turn.query:
        context.conversation.extend(turn.messages)
        return
    messages, used = injector.inject(turn)
    context.conversation.extend(messages)
    context.counters.searches += 1
    context.counters.hits += bool(used)
    transcript().info(_knowledge_info(turn, used, injector.threshold), source=SOURCE)


async def _step(context: Context) -> bool:
    """Play one step; True when the turn is over."""
    candidates = await SAMPLERS[context.parameters.sampling](context)
    decision = await decide(candidates, context)
    if len(candidates) > 1:
        transcript().info(_decision_info(context, candidates, decision), source=SOURCE)
    context.counters.steps += 1
    context.conversation.append(decision.action.message)
    observation = await context.episode.step(decision.action)
    context.conversation.extend(observation.messages)
    context.window.add(observation.messages)
    return observation.turn_over


def _knowledge_info(turn: Turn, used: Sequence[Retrieved], threshold: float) -> dict[str, Any]:
    return {
        "kind": "knowledge",
        "turn": turn.index + 1,
        "threshold": threshold,
        "retrieved": [
            {
                "item": hit.item.id,
                "similarity": hit.similarity,
                "question": hit.item.question,
                "calls": [call.call().text for call in hit.item.calls],
            }
            for hit in used
        ],
    }


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
