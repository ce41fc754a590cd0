"""Aggregation rows: what a critic is asked about a step, and the gold choice as its answer.

The request is the solvers' own (solvers/critic.py). Candidates come from runs (logs.py), or are gold and
seeded corruptions of it, in random order; their kinds stand in the row's id. The plan of the answer is the
teacher's reasoning, if there is any.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from inspect_ai.model import ChatMessage, ChatMessageAssistant

from kate_eval.endpoints.openai.messages import encode_messages
from kate_eval.episode import Action, Call
from kate_eval.solvers.candidate import Candidate, shown_calls, vote_key
from kate_eval.solvers.critic import critic_request
from kate_eval.solvers.parameters import Parameters
from kate_eval.trainers.row import Json, Row
from kate_eval.trainers.rows.corruption import Corruptions
from kate_eval.trainers.rows.play import SENTENCES
from kate_eval.trainers.rows.written import Moment

PARAMETERS = Parameters(one_call=True)
"""The solvers' defaults: the conversation replayed as chat, reasoning shown."""


def candidate(calls: Sequence[Call], reply: str, ordered: bool, reasoning: str = "") -> Candidate:
    """A candidate that makes these calls, or says this."""
    action = Action(ChatMessageAssistant(content=reply), tuple(calls))
    return Candidate(action, reasoning, vote_key(action, ordered))


def corrupted_row(row: Row, moment: Moment, width: int, corruptions: Corruptions, seed: int) -> Row | None:
    """The choice among gold and corruptions; None where nothing can be got wrong, or a step is no one call.

    Args:
        row: of the step.
        moment: the step.
        width: candidates at most.
        corruptions: of all played entries.
        seed: of the draw.
    """
    played, step = moment.played, moment.step
    if played.one_call and len(step.calls) > 1:
        return None
    place = played.turns.index(moment.turn)
    rng = Random(f"{seed}|aggregation|{row.entry}|{row.turn}|{row.step}")
    wrong = corruptions.of(played, place, moment.number, width - 1, rng)
    if not wrong:
        return None
    reply = "" if step.calls else step.message.text
    options = [("gold", candidate(step.calls, reply, played.one_call))]
    options += [
        (kind, candidate(calls, "" if calls else SENTENCES[""], played.one_call)) for kind, calls in wrong
    ]
    rng.shuffle(options)
    asked = Asked(
        candidates=[one for _, one in options],
        how=f"corrupted:{'+'.join(kind for kind, _ in options)}",
        completion=answer(step.calls, reply, moment.reasoning),
    )
    return aggregation_row(row, asked, moment.conversation, moment.turn.docs, played.one_call)


def answer(calls: Sequence[Call], reply: str, plan: str) -> Json:
    """The critic's answer that chooses these calls, or this reply."""
    chosen = {"plan": plan, "calls": shown_calls(calls), "reply": reply}
    text = json.dumps(chosen, ensure_ascii=False)
    return encode_messages([ChatMessageAssistant(content=text)])[0]


@dataclass(frozen=True)
class Asked:
    """A choice.

    Attributes:
        candidates: distinct, in the order in which they are shown.
        how: where they come from, for the row's id.
        completion: the right answer.
    """

    candidates: Sequence[Candidate]
    how: str
    completion: Json


def aggregation_row(
    row: Row,
    asked: Asked,
    conversation: Sequence[ChatMessage],
    docs: Sequence[dict[str, Any]],
    one_call: bool,
) -> Row:
    """The row of a choice among candidates for a step.

    Args:
        row: of the step.
        asked: the candidates, and the right answer.
        conversation: before the step; row.messages are the same.
        docs: the tools as a critic reads them.
        one_call: whether a step is exactly one call.
    """
    [*_, request] = critic_request(
        asked.candidates, conversation, docs, PARAMETERS, one_call and PARAMETERS.one_call
    )
    changed = {
        "id": f"{row.id.removesuffix('/step')}/aggregation/{asked.how}",
        "kind": "aggregation",
        "messages": (*row.messages, *encode_messages([request])),
        "tools": (),
        "completion": asked.completion,
    }
    return Row(**dict(row) | changed)
