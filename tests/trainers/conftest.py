"""A tiny base model, for runs of a second or two."""

from pathlib import Path

import pytest

from tests.trainers import tiny


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained model."""
    return tiny.base(tmp_path_factory.mktemp("models") / "tiny")
