"""What the report's tests share: a cache of their own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder: causes that a test looks up are not kept for the user's reports."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("KATE_EVAL_CACHE", str(folder))
    return folder
