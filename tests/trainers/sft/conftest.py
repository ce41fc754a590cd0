"""A tiny base model and rows, for runs of a second or two."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kate_eval.trainers.rows.card import RowsCard
from kate_eval.trainers.rows.folder import save_rows
from kate_eval.trainers.sft.parameters import SftParameters
from tests.trainers import tiny

CARD = RowsCard(benchmark="bfcl", split="train", mode="fc", data_hash="0", engine="none", license="none")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained model."""
    return tiny.base(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a dozen rows, and three held out."""
    folder = tmp_path_factory.mktemp("rows")
    made = list(tiny.rows(15))
    save_rows(folder, made[:12], made[12:], CARD)
    return folder


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
