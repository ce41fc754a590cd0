"""Every category in both modes, through Inspect, with the real checkers and a model that plays gold."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from inspect_ai.solver import Solver

from kate_eval.bfcl.categories import CATEGORIES
from kate_eval.bfcl.data import load
from kate_eval.solvers.kate import baseline, kate
from kate_eval.tasks.bfcl import bfcl

SOLVERS: dict[str, Callable[..., Solver]] = {"baseline": baseline, "kate": kate}


@pytest.mark.parametrize("mode", ["fc", "prompt"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_gold_is_correct_in_every_category(run: Any, mode: str, solver: str) -> None:
    chosen = [entry.id for category in CATEGORIES for entry in list(load([category], "test"))[1:3]]
    log = run(bfcl(categories="all", mode=mode), "simulated/perfect", SOLVERS[solver](), sample_id=chosen)
    wrong = {
        s.id: s.error.message if s.error else s.scores["bfcl_verdict"].explanation
        for s in log.samples
        if s.error or s.scores["bfcl_verdict"].value != "C"
    }
    assert len(log.samples) == 2 * len(CATEGORIES) and not wrong
    metrics = {name: m.value for score in log.results.scores for name, m in score.metrics.items()}
    assert [metrics[name] for name in ("overall", "live", "multi_turn_base")] == pytest.approx([1, 1, 1])


def test_two_epochs_give_the_same_verdicts(run: Any) -> None:
    log = run(bfcl(categories="multi_turn_base"), "simulated/perfect", baseline(), limit=10, epochs=2)
    assert [s.scores["bfcl_verdict"].value for s in log.samples] == ["C"] * 20


def test_a_log_can_be_scored_again_without_an_environment(run: Any) -> None:
    from inspect_ai import score

    from kate_eval.bfcl.scorer import bfcl_verdict

    log = run(bfcl(categories="multi_turn_base"), "simulated/weak", baseline(), limit=10)
    before = [s.scores["bfcl_verdict"].value for s in log.samples]
    again = score(log, bfcl_verdict(), action="overwrite", display="log")
    assert again.samples and before == [s.scores["bfcl_verdict"].value for s in again.samples if s.scores]
    assert {"C", "I"} >= set(before)


def test_the_example_solver_plays(run: Any) -> None:
    from pathlib import Path

    from inspect_ai.solver import SolverSpec

    example = Path(__file__).parent.parent / "examples/patient.py"
    log = run(bfcl(categories="multi_turn_base"), "simulated/perfect", SolverSpec(str(example)), limit=3)
    assert [s.scores["bfcl_verdict"].value for s in log.samples] == ["C"] * 3
    for sample in log.samples:  # what it keeps no count of is unknown, not zero
        counted = sample.scores["run_counters"].value
        assert counted["errored"] == 0 and math.isnan(counted["requests"])
