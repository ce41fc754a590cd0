"""The simulated model gains only where the machinery really works: break a part and its gain is gone.

60 real entries; the simulation is seeded, so these runs give the same verdicts each time.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from inspect_ai.log import EvalLog
from inspect_ai.solver import Solver

from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.episode import Call
from kate_eval.knowledge.retrieve import Retrieved, Retriever
from kate_eval.solvers.candidate import Candidate, tally
from kate_eval.solvers.critic import Review
from kate_eval.solvers.kate import baseline, knowledge, width
from kate_eval.tasks.bfcl import bfcl
from tests.solvers.test_loop import infos

Play = Callable[[Solver], EvalLog]


@pytest.fixture
def play(run: Any) -> Play:
    """Play 60 test entries of multi_turn_base with a solver."""

    def played(solver: Solver) -> EvalLog:
        log: EvalLog = run(
            bfcl(categories="multi_turn_base"), "simulated/default", solver, limit=60, log_realtime=False
        )
        assert log.samples and len(log.samples) == 60 and not any(sample.error for sample in log.samples)
        return log

    return played


def verdicts(log: EvalLog) -> dict[str, bool]:
    """Entry -> correct."""
    return {str(s.id): (s.scores or {})["bfcl_verdict"].value == "C" for s in log.samples or []}


@pytest.mark.slow
def test_injected_experience_helps_and_broken_injection_does_not(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = verdicts(play(baseline()))
    assert sum(verdicts(play(knowledge())).values()) >= sum(without.values()) + 3

    with monkeypatch.context() as patched:  # retrieval works, but the model is never shown the cases
        patched.setattr("kate_eval.solvers.inject.render_experiences", lambda question, *_: question)
        assert verdicts(play(knowledge())) == without

    def of_other_classes(self: Retriever, query: str, form: str, classes: Any, *_: Any, **__: Any) -> Any:
        strangers = [item for item in self.bank.items if not set(item.classes) & set(classes)]
        return [Retrieved(item, 0.9) for item in strangers[:3]]

    with monkeypatch.context() as patched:  # the cases shown have nothing to do with the request
        patched.setattr(Retriever, "search", of_other_classes)
        assert sum(verdicts(play(knowledge())).values()) <= sum(without.values())


def right_shares(log: EvalLog) -> tuple[float, float]:
    """Where candidates differ: the share of first candidates, and of actions taken, that gold has."""
    firsts: list[bool] = []
    taken: list[bool] = []
    for sample in log.samples or []:
        gold = multi_turn_gold(load_entry(str(sample.id)))
        for decision in infos(sample, "decision"):
            if decision["how"] != "agreed":
                calls = {call.key for call in gold[decision["turn"] - 1]}
                firsts.append(is_right(decision["candidates"][0], calls))
                taken.append(is_right(decision["action"], calls))
    assert len(taken) > 80
    return sum(firsts) / len(firsts), sum(taken) / len(taken)


def is_right(action: dict[str, Any], gold: set[str]) -> bool:
    """Whether the action is a call that the turn's gold has."""
    return any(Call(c["name"], c["arguments"]).key in gold for c in action.get("calls", []))


@pytest.mark.slow
@pytest.mark.parametrize("aggregate", ["majority", "critic"])
def test_aggregation_picks_right_calls_more_often_than_the_first_candidate(
    play: Play, aggregate: str
) -> None:
    first, taken = right_shares(play(width(aggregate=aggregate)))
    assert taken >= first + 0.05


@pytest.mark.slow
def test_without_votes_or_judgement_the_gain_is_gone(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:  # votes are counted, but not used

        def uncounted(candidates: Sequence[Candidate]) -> list[tuple[Candidate, int]]:
            return sorted(tally(candidates), key=lambda pair: pair[0].key)

        patched.setattr("kate_eval.solvers.aggregate.tally", uncounted)
        first, taken = right_shares(play(width(aggregate="majority")))
        assert taken <= first + 0.02

    async def deaf(candidates: Sequence[Candidate], context: Any, focus: str) -> Review:
        return Review(focus, min(candidates, key=lambda candidate: candidate.key).action)

    with monkeypatch.context() as patched:  # the critic is not asked
        patched.setattr("kate_eval.solvers.aggregate.review", deaf)
        first, taken = right_shares(play(width(aggregate="critic")))
        assert taken <= first + 0.02
