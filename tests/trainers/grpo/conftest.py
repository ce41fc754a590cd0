"""A tiny base model and rows, for runs of a few seconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kate_eval.trainers.grpo.parameters import GrpoParameters
from tests.trainers import tiny


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight rows, and two held out."""
    return tiny.saved_rows(tmp_path_factory.mktemp("rows"), learnt=8, held_out=2)


@pytest.fixture
def parameters(base: Path, rows: Path, tmp_path: Path) -> Callable[..., GrpoParameters]:
    """Makes parameters of a short run on the CPU."""

    def make(**given: Any) -> GrpoParameters:
        values = {
            "rows": rows,
            "base": str(base),
            "output": tmp_path / "out",
            "reward": "step_partial",
            "device": "cpu",
            "threads": 1,
            "prompts": 2,
            "generations": 4,
            "batch_size": 8,
            "max_steps": 4,
            "answer_tokens": 24,
            "completion_tokens": 24,
            "learning_rate": 1e-3,
            "eval_rows": 2,
        }
        return GrpoParameters(**{**values, **given})

    return make
