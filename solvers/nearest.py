"""`nearest`: the floor. It asks no model: it plays the calls, or code, of the most similar training turn.

Values that the example's request mentions are replaced by the values that the user mentions in the same
place (first quoted text for first quoted text, first number for first number, and so on). What this
scores is what the training half gives away about the test half; a model must beat it.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from inspect_ai.log import transcript
from inspect_ai.solver import Generate, Solver, TaskState, solver

from kate_eval.counters import COUNTERS_KEY, PROVENANCE_KEY, Counters
from kate_eval.episode import Call, Episode, Turn, current_episode
from kate_eval.knowledge.retrieve import Retrieved
from kate_eval.solvers.inject import Shelf, bank_provenance, check_leakage, open_bank
from kate_eval.solvers.loop import SOURCE
from kate_eval.solvers.preflight import check_at_start

FORM = "trajectory"
SUBMIT = "apis.supervisor.complete_task()"
"""Ends a turn of code."""
_QUOTES = "'\"\u2018\u2019\u201c\u201d"
_KINDS = {
    "quoted": re.compile(rf"[{_QUOTES}]([^{_QUOTES}]{{1,200}})[{_QUOTES}](?!\w)"),
    "file": re.compile(r"\b([\w-]+\.[A-Za-z][A-Za-z0-9]{1,4})\b"),
    "number": re.compile(r"(?<![\w.])(-?\d[\d,]*(?:\.\d+)?)(?![\w.]*\d)"),
    "name": re.compile(r"(?<![.!?]\s)(?<!^)\b([A-Z][A-Za-z]+|[A-Z]{2,})\b"),
}


def mentions(text: str) -> dict[str, list[str]]:
    """What a request mentions, by kind, in order and without duplicates."""
    return {kind: list(dict.fromkeys(pattern.findall(text))) for kind, pattern in _KINDS.items()}


def substitutions(example: str, request: str) -> dict[str, str]:
    """What the example mentions -> what the request mentions in its place."""
    old, new = mentions(example), mentions(request)
    found: dict[str, str] = {}
    for kind in _KINDS:
        for before, after in zip(old[kind], new[kind], strict=False):
            found.setdefault(before, after)
    return found


def transfer(value: Any, changes: dict[str, str]) -> Any:
    """A call's argument with the request's values in it; numbers keep their type."""
    if isinstance(value, dict):
        return {key: transfer(item, changes) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [transfer(item, changes) for item in value]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    changed = changes.get(str(value))
    if changed is None or isinstance(value, str):
        return changed if changed is not None else value
    try:
        return type(value)(changed.replace(",", ""))
    except ValueError:
        return value


def transfer_code(code: str, changes: dict[str, str]) -> str:
    """A block of code with the request's values in place of its literals; as it is if it doesn't parse."""
    if not changes:
        return code
    try:
        tree = ast.parse(code)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant):
                node.value = transfer(node.value, changes)
        return ast.unparse(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code


def adapted_calls(hit: Retrieved, request: str, episode: Episode) -> Iterator[Call]:
    """The example's calls, or code, with the request's values."""
    changes = substitutions(hit.item.question, request)
    for step in hit.item.steps:
        yield code_call(transfer_code(step.code, changes))
    for call in hit.item.calls:
        name_now = episode.tool_name(call.name)
        yield Call(name_now, {name: transfer(value, changes) for name, value in call.arguments.items()})


def code_call(code: str) -> Call:
    """A block of code as a call."""
    return Call("python", {"code": code})


@solver
def nearest(bank: str | None = None, allow_leakage: bool = False) -> Solver:
    """Play the calls, or code, of the most similar training turn; no model is asked.

    After code that has not ended its task, SUBMIT is played: a floor that never submits would score nothing,
    and so say nothing about what the training half gives away.

    Args:
        bank: folder of the bank; by default the benchmark's training half, built in memory.
        allow_leakage: evaluate entries that the bank was built from, marked as such.

    Raises:
        BankError: the bank can't be used.
    """
    check_at_start()
    source = open_bank(bank, [FORM])

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        episode = current_episode(state)
        shelf = source(episode.benchmark)
        leaks = check_leakage(shelf.bank, episode, allow_leakage)
        counters = Counters(knowledge=True, leaked=bool(leaks))
        state.store.set(PROVENANCE_KEY, bank_provenance(shelf.bank, bank))
        while (turn := episode.next_turn()) is not None:
            state.messages.extend(turn.messages)
            calls = await _calls_of_turn(shelf, turn, episode, counters)
            await _play_turn(episode, state, calls, counters)
        state.store.set(COUNTERS_KEY, asdict(counters))
        return state

    return solve


async def _calls_of_turn(shelf: Shelf, turn: Turn, episode: Episode, counters: Counters) -> list[Call]:
    """What is played in a turn: the most similar example's calls, or its code and then SUBMIT."""
    query = await shelf.retriever.query(turn.query)
    found = shelf.retriever.search(query, FORM, episode.classes, k=1, threshold=0.0)
    counters.turns += 1
    counters.searches += 1
    counters.hits += bool(found)
    calls = [call for hit in found for call in adapted_calls(hit, turn.query, episode)]
    info: dict[str, Any] = {
        "kind": "nearest",
        "turn": counters.turns,
        "retrieved": [
            {"item": hit.item.id, "similarity": hit.similarity, "question": hit.item.question}
            for hit in found
        ],
        "calls": [call.text for call in calls],
    }
    transcript().info(info, source=SOURCE)
    # A turn of code ends when the code says so, which the example's may have failed to do.
    is_code = any(item.steps for item in shelf.bank.items)
    return [*calls, code_call(SUBMIT)] if is_code else calls


async def _play_turn(episode: Episode, state: TaskState, calls: list[Call], counters: Counters) -> None:
    """Play the calls one a step (all at once in single-turn entries), then end the turn."""
    plan = [[call] for call in calls] if episode.one_call else [calls]
    for step in [*plan, []]:
        action = episode.encode(step, "" if step else "Done.")
        observation = await episode.step(action)
        counters.steps += 1
        state.messages.append(action.message)
        state.messages.extend(observation.messages)
        if observation.turn_over:
            return
