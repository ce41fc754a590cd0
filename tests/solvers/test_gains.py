"""The simulated model gains only where the machinery really works: break a part and its gain is gone.

100 real entries; the simulation is seeded, so these runs give the same verdicts each time.
"""

from collections.abc import Callable
from typing import Any

import pytest
from inspect_ai.solver import Solver

from kate_eval.knowledge.retrieve import Retrieved, Retriever
from kate_eval.solvers.kate import baseline, knowledge, width
from kate_eval.tasks.bfcl import bfcl

Verdicts = dict[str, bool]


@pytest.fixture
def verdicts(run: Any) -> Callable[[Solver], Verdicts]:
    """Play the test half of multi_turn_base with a solver: entry -> correct."""

    def play(solver: Solver) -> Verdicts:
        log = run(bfcl(categories="multi_turn_base"), "simulated/default", solver, log_realtime=False)
        assert len(log.samples) == 100 and not any(sample.error for sample in log.samples)
        return {str(s.id): s.scores["bfcl_verdict"].value == "C" for s in log.samples}

    return play


def share(found: Verdicts) -> float:
    """The share of correct entries."""
    return sum(found.values()) / len(found)


def test_injected_experience_helps_and_broken_injection_does_not(
    verdicts: Callable[[Solver], Verdicts], monkeypatch: pytest.MonkeyPatch
) -> None:
    without = verdicts(baseline())
    assert share(verdicts(knowledge())) >= share(without) + 0.04

    with monkeypatch.context() as patched:  # retrieval works, but the model is never shown the cases
        patched.setattr("kate_eval.solvers.inject.render_experiences", lambda question, found: question)
        assert verdicts(knowledge()) == without

    def of_other_classes(self: Retriever, query: str, form: str, classes: Any, *_: Any, **__: Any) -> Any:
        strangers = [item for item in self.bank.items if not set(item.classes) & set(classes)]
        return [Retrieved(item, 0.9) for item in strangers[:3]]

    with monkeypatch.context() as patched:  # the cases shown have nothing to do with the request
        patched.setattr(Retriever, "search", of_other_classes)
        assert share(verdicts(knowledge())) <= share(without) + 0.01


def test_voting_helps_and_taking_the_first_candidate_does_not(verdicts: Callable[[Solver], Verdicts]) -> None:
    unaggregated = share(verdicts(width(aggregate="first")))
    assert share(verdicts(width(aggregate="majority"))) >= unaggregated + 0.04
    assert share(verdicts(width(aggregate="critic"))) >= unaggregated + 0.04
    assert unaggregated <= share(verdicts(baseline())) + 0.02
