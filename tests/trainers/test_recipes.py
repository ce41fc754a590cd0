"""The recipes that docs/training.md names are parameters of the trainers."""

from pathlib import Path

import pytest

from kate_eval.trainers.grpo.parameters import GrpoParameters
from kate_eval.trainers.parameters import read_parameters
from kate_eval.trainers.sft.parameters import SftParameters

RECIPES = Path(__file__).parents[2] / "examples/recipes"
GIVEN = {"rows": Path("data/rows"), "output": Path("checkpoints/x")}


def test_sft_is_the_paper_s() -> None:
    found = read_parameters(SftParameters, [RECIPES / "sft.yaml"], GIVEN)
    assert (found.lora, found.learning_rate, found.epochs) == (True, 3e-5, 3)


@pytest.mark.parametrize("name", ["rl", "rl-turn"])
def test_rl_is_known_to_the_trainer(name: str) -> None:
    found = read_parameters(GrpoParameters, [RECIPES / f"{name}.yaml"], GIVEN)
    assert found.lora and found.reward == ("step_exact" if name == "rl" else "turn_state")


def test_rl_is_the_paper_s() -> None:
    found = read_parameters(GrpoParameters, [RECIPES / "rl.yaml"], GIVEN)
    assert (found.rate, found.epochs) == (3e-5, 7)


def test_the_docs_name_them_all() -> None:
    text = (Path(__file__).parents[2] / "docs/training.md").read_text(encoding="utf-8")
    assert not [file.name for file in RECIPES.glob("*.yaml") if file.name not in text]
