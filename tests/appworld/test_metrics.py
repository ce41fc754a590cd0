"""TGC and SGC are the engine's own, to the digit."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.scorer import (
    CORRECT,
    INCORRECT,
    SampleScore,
    Score,
    Scorer,
    Target,
    Value,
    accuracy,
    scorer,
)
from inspect_ai.solver import TaskState

from kate_eval.appworld.data import scenario_of
from kate_eval.appworld.metrics import EPOCH, appworld_metrics, completion
from tests.appworld.conftest import Official
from tests.conftest import Scripted, output

SCORES = {
    # (scenario, difficulty, value) of each sample -> what is reported
    "all right": ([("a", 1, 1.0), ("a", 1, 1.0), ("b", 2, 1.0)], {"tgc": 100.0, "sgc": 100.0}),
    "one variant wrong": ([("a", 1, 1.0), ("a", 1, 0.0), ("b", 2, 1.0)], {"tgc": 66.7, "sgc": 50.0}),
    "per difficulty": (
        [("a", 1, 1.0), ("b", 2, 0.0), ("c", 2, 1.0)],
        {"tgc_difficulty_1": 100.0, "tgc_difficulty_2": 50.0, "sgc_difficulty_2": 50.0},
    ),
    "none": ([], {}),
}


@pytest.mark.xdist_group("appworld-attacks")
def test_completion_is_the_engine_s(official: Official) -> None:
    cases = [_case(random.Random(seed)) for seed in range(300)]
    assert [list(_completion(case).values()) for case in cases] == official.ask(metrics=cases)


def _completion(case: dict[str, float]) -> dict[str, float]:
    variants = Counter(map(scenario_of, case))
    return completion([(scenario_of(t), variants[scenario_of(t)], 1, value) for t, value in case.items()])


def test_a_scenario_with_an_unscored_variant_says_nothing_of_scenarios() -> None:
    assert completion([("a", 3, 1, 1.0), ("a", 3, 1, 1.0), ("b", 1, 1, 0.0)]) == {"tgc": 66.7, "sgc": 0.0}
    assert completion([("a", 3, 1, 1.0)]) == {"tgc": 100.0}


def test_variants_that_pass_in_different_epochs_are_no_scenario_that_passes() -> None:
    split = [("a", 2, 1, 1.0), ("a", 2, 1, 0.0), ("a", 2, 2, 0.0), ("a", 2, 2, 1.0)]
    assert completion(split) == {"tgc": 50.0, "sgc": 0.0}
    once = [("a", 2, 1, 1.0), ("a", 2, 1, 1.0), ("a", 2, 2, 0.0), ("a", 2, 2, 1.0)]
    assert completion(once) == {"tgc": 75.0, "sgc": 50.0}


def test_scores_that_do_not_tell_their_epoch_give_no_sgc_of_several() -> None:
    assert completion([("a", 1, 1, 1.0), ("a", 1, 1, 0.0)]) == {"tgc": 50.0}


def test_inspect_hands_over_each_epoch_by_itself(tmp_path: Path) -> None:
    """Two variants of a scenario, each of which passes in one of two epochs."""

    @scorer(metrics=[accuracy(), appworld_metrics()])
    def passes() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            right = state.epoch == state.sample_id
            return Score(value=CORRECT if right else INCORRECT, metadata={EPOCH: state.epoch})

        return score

    told = {"cluster": "a", "difficulty": 1, "variants": 2}
    samples = [Sample(id=n, input="x", metadata=told) for n in (1, 2)]
    task = Task(dataset=samples, scorer=passes(), epochs=2)
    model = Scripted(lambda messages, config: output("Done.")).model()
    [log] = eval(task, model=model, log_dir=str(tmp_path), display="log")
    assert log.results is not None
    metrics = {name: found.value for one in log.results.scores for name, found in one.metrics.items()}
    assert (metrics["accuracy"], metrics["tgc"], metrics["sgc"]) == (0.5, 50.0, 0.0)


def test_old_scores_of_several_epochs_give_no_sgc() -> None:
    """They don't say their epoch: three of one task would look like the three variants of its scenario."""
    told = {"cluster": "a", "difficulty": 1, "variants": 3}
    scores = [SampleScore(score=Score(value=1.0), sample_id="a_1", sample_metadata=told)] * 3
    compute = cast(Callable[[list[SampleScore]], dict[str, float]], appworld_metrics())
    assert compute(scores) == {"tgc": 100.0, "tgc_difficulty_1": 100.0}


def _case(random_: random.Random) -> dict[str, float]:
    """Verdicts of up to 60 scenarios with one to three variants each."""
    share = random_.random()
    return {
        f"{scenario:07x}_{variant}": float(random_.random() < share)
        for scenario in range(random_.randint(1, 60))
        for variant in range(1, random_.randint(1, 3) + 1)
    }


@pytest.mark.parametrize("case", SCORES)
def test_reported(case: str) -> None:
    rows, expected = SCORES[case]
    found = _reported(rows)
    assert {name: found[name] for name in expected} == expected


def test_only_difficulties_that_occur_are_reported() -> None:
    assert "tgc_difficulty_3" not in _reported([("a", 1, 1.0)])


def test_nothing_scored_has_no_metric() -> None:
    assert completion([]) == {}


def _reported(rows: Sequence[tuple[str, int, float]]) -> dict[str, float]:
    variants = Counter(scenario for scenario, _, _ in rows)
    scores = [
        SampleScore(
            score=Score(value=value),
            sample_id=number,
            sample_metadata={
                "cluster": scenario,
                "difficulty": difficulty,
                "variants": variants[scenario],
            },
        )
        for number, (scenario, difficulty, value) in enumerate(rows)
    ]
    compute = cast(Callable[[list[SampleScore]], Value], appworld_metrics())
    found = compute(scores)
    assert isinstance(found, dict)
    return {name: float(str(value)) for name, value in found.items()}
