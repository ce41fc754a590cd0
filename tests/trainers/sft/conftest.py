"""A tiny base model and rows, for runs of a second or two."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kate_eval.trainers.sft.parameters import SftParameters
from tests.trainers import tiny


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a dozen rows, and three held out."""
    return tiny.saved_rows(tmp_path_factory.mktemp("rows"), learnt=12, held_out=3)


@pytest.fixture
def parameters(base: Path, rows: Path, tmp_path: Path) -> Callable[..., SftParameters]:
    """Makes parameters of a short run on the CPU."""

    def make(**given: Any) -> SftParameters:
        values = {
            "rows": rows,
            "base": str(base),
            "output": tmp_path / "out",
            "device": "cpu",
            "threads": 1,
            "batch_size": 2,
            "accumulation": 2,
            "max_steps": 4,
            "learning_rate": 1e-3,
            "exact_rows": 2,
            "exact_tokens": 8,
        }
        return SftParameters(**{**values, **given})

    return make
