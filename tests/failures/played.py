"""Gold runs with one mistake made on purpose, as samples of a log: what the rules must find is known."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from inspect_ai.log import EvalSample
from inspect_ai.scorer import CORRECT, INCORRECT, Score

from kate_eval.bfcl.categories import Mode
from kate_eval.bfcl.checker import check
from kate_eval.bfcl.data import load_entry
from kate_eval.endpoints.bfcl.mistakes import KINDS, Answer, Step
from kate_eval.endpoints.bfcl.request import progress
from kate_eval.endpoints.bfcl.script import Script, pool_of, script_of
from kate_eval.endpoints.bfcl.writing import written
from kate_eval.endpoints.profiles import MistakeKind
from kate_eval.episode import OUTCOME_KEY, SAMPLE_KEY, Call


@dataclass(frozen=True)
class Mistake:
    """One mistake of the simulated model's, at one place.

    Attributes:
        right: the calls that were right there.
        answer: what was said instead.
    """

    kind: MistakeKind
    turn: int
    step: int
    right: tuple[Call, ...]
    answer: Answer


def sample(entry_id: str, result: Any, mode: Mode = "fc", **given: Any) -> EvalSample:
    """A sample of a log with this result, scored as the scorer would."""
    correct = check(load_entry(entry_id), result, mode).correct
    return sample_of(entry_id, {"result": result, "over": True, "mode": mode}, correct, **given)


def sample_of(entry_id: str, outcome: Any, correct: bool, **given: Any) -> EvalSample:
    """A sample of a log with this outcome and verdict."""
    told = {"benchmark": "bfcl", "entry": entry_id, "epoch": 1, "mode": "fc"}
    return EvalSample(
        id=entry_id,
        epoch=1,
        input="",
        target="",
        scores={"bfcl_verdict": Score(value=CORRECT if correct else INCORRECT)},
        store={SAMPLE_KEY: told, OUTCOME_KEY: outcome},
        **given,
    )


def response(calls: Sequence[Call], reply: str = "Done.") -> Any:
    """A step in the official shape."""
    return [{call.name: json.dumps(call.arguments)} for call in calls] or reply


def gold_result(entry_id: str) -> list[list[Any]]:
    """A multi-turn entry's gold, one call a step, each turn ended by a reply."""
    return [[*(response([call]) for call in turn), "Done."] for turn in script_of(entry_id, "fc").gold]


def play(
    entry_id: str, mode: Mode, kind: MistakeKind, at: tuple[int, int], seed: str, persists: bool = False
) -> tuple[Any, Mistake | None]:
    """Play gold, but for one mistake, and go on from there as the simulated model does.

    Args:
        entry_id: of the entry.
        mode: the format.
        kind: of the mistake.
        at: turn, and number of gold calls made in it before the mistake.
        seed: of the mistake.
        persists: after the mistake the model goes on as if the right calls had been made.

    Returns:
        The result, and the mistake; None where it could not be made.
    """
    script = script_of(entry_id, mode)
    mistake: Mistake | None = None
    result: list[list[Any]] = []
    for turn, gold in enumerate(script.gold):
        made: list[Call] = []
        steps: list[Any] = []
        while True:
            state = progress(gold, made)
            right = state.remaining[:1] if script.entry.multi_turn else state.remaining
            answer = Answer(right, reply="Done.")
            if mistake is None and (turn, state.position) == at:
                found = _mistake(script, mode, kind, right, state.remaining[len(right) :], turn, seed)
                if found is not None:
                    answer = found
                    mistake = Mistake(kind, turn, len(steps), right, found)
            steps.append(_written(answer, script, mode))
            if not answer.calls or answer.malformed or not script.entry.multi_turn:
                break
            made += right if persists and mistake and answer is mistake.answer else answer.calls
        result.append(steps)
    return (result if script.entry.multi_turn else result[0][0]), mistake


def _mistake(
    script: Script,
    mode: Mode,
    kind: MistakeKind,
    right: tuple[Call, ...],
    following: tuple[Call, ...],
    turn: int,
    seed: str,
) -> Answer | None:
    held_out = {doc["name"] for at, docs in script.entry.held_out.items() if at > turn for doc in docs}
    offered = tuple(sorted(script.docs.keys() - held_out))
    step = Step(script, pool_of(script.entry.category, mode), right, following, offered, "Done.")
    return KINDS[kind](step, Random(seed))


def _written(answer: Answer, script: Script, mode: Mode) -> Any:
    if mode == "prompt":
        return written(answer, script.entry.category)
    if answer.malformed:
        return [{call.name: "Error parsing the following tool call arguments:"} for call in answer.calls]
    return response(answer.calls, answer.reply)
