"""The mechanism check's table: a claim came out, did not, or is not decided."""

from dataclasses import replace
from pathlib import Path

import pytest
from mechanism.results import Curve, Seed, claims, write_results
from mechanism.run import FULL, QUICK, require_size

PLACES = [f"e{number}/0/0" for number in range(60)]
STEPS = {name: {place: place for place in PLACES} for name in ("knowledge", "plain", "sampled", "training")}
FALLS: Curve = [(step, 3.0 - 0.05 * step + 0.01 * (step % 3)) for step in range(40)]
RISES: Curve = [(step, -loss) for step, loss in FALLS]
FLAT: Curve = [(step, 1.0 + (-1) ** step) for step in range(40)]


def seed(number: int = 0, loss: Curve = FALLS, **shares: float) -> Seed:
    """One seed whose shares of right answers are told, by checkpoint_prompts_asked; 0.5 where not."""
    answers: dict[str, dict[str, dict[str, float]]] = {}
    for checkpoint in ("sft", "rl"):
        for shown in STEPS:
            answers[f"{checkpoint}, {shown}"] = {
                kind: {
                    place: float(position < 60 * shares.get(f"{checkpoint}_{shown}_{kind}", 0.5))
                    for position, place in enumerate(PLACES)
                }
                for kind in ("one", "voted")
            }
    return Seed(number, {"parameters": 1}, {"loss": loss}, {"reward": RISES}, answers)


def outcomes(*seeds: Seed) -> dict[str, bool | None]:
    """Claim -> whether it came out."""
    return {one.text: one.came_out for one in claims(seeds, STEPS, 8)}


@pytest.mark.parametrize(("loss", "expected"), [(FALLS, True), (RISES, False), (FLAT, None)])
def test_a_curve_is_judged_by_its_slope(loss: Curve, expected: bool | None) -> None:
    assert next(iter(outcomes(seed(loss=loss)).values())) is expected


def test_seeds_that_disagree_decide_nothing() -> None:
    assert next(iter(outcomes(seed(loss=FALLS), seed(loss=RISES)).values())) is None


@pytest.mark.parametrize(("with_it", "expected"), [(0.95, True), (0.05, False), (0.5, None)])
def test_a_difference_is_judged_by_its_interval(with_it: float, expected: bool | None) -> None:
    found = outcomes(seed(sft_knowledge_one=with_it))
    assert found["test half, greedy: knowledge against none (SFT)"] is expected
    assert found["test half, greedy: GRPO against SFT"] is (None if expected is None else not expected)


def test_the_reward_s_error_is_of_the_draws_alone() -> None:
    """Half of 8 draws are right at each step, then all: however the steps differ among themselves."""
    one = seed(rl_training_one=1.0)
    one.answers["sft, training"]["one"] = dict.fromkeys(PLACES, 0.5)
    found = {claim.text: claim for claim in claims([one], STEPS, 8)}
    reward = found.pop("training half, sampled: GRPO's reward against SFT's")
    error = 196 * (60 * 0.25 / 7) ** 0.5 / 60
    assert reward.change.startswith(f"+50.0 [{50 - error:+.1f}, {50 + error:+.1f}]") and reward.came_out
    assert not any(claim.came_out for text, claim in found.items() if "half" in text)


def test_the_table_says_each_seed_and_what_is_not_decided(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    size = {"candidates": 8, "rl_entries": 3}
    write_results(tmp_path, [seed(0), seed(1)], STEPS, size, 60.0)
    text = (tmp_path / "README.md").read_text()
    assert "2 seeds" in text and "by seed" in text and "not decided" in text and "60 steps of 60" in text


def test_a_folder_of_another_size_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "size.json"
    require_size(file, QUICK)
    require_size(file, replace(QUICK, seeds=2))  # goes on with more seeds
    with pytest.raises(SystemExit, match="choose another -o"):
        require_size(file, FULL)
    file.unlink()
    (tmp_path / "seed-0").mkdir()
    with pytest.raises(SystemExit, match="earlier version"):
        require_size(file, QUICK)
