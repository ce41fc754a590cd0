"""Training curves come from checkpoints' cards."""

import json
from pathlib import Path

import pytest

from kate_eval.errors import ConfigurationError
from kate_eval.report.training import MOST, read_training


def card(folder: Path, curves: object) -> Path:
    folder.mkdir()
    (folder / "card.json").write_text(json.dumps({"curves": curves}))
    return folder


def test_each_curve_is_a_series_of_its_checkpoint(tmp_path: Path) -> None:
    sft = card(tmp_path / "sft", {"loss": [[1, 2.0], [2, 1.5]], "learning_rate": [[1, 0.1]]})
    rl = card(tmp_path / "rl", {"reward": [[n, n / 5000] for n in range(5000)], "loss": [[1, float("nan")]]})
    found = read_training([sft, rl])
    assert [series.name for series in found] == ["sft, loss", "rl, loss", "rl, reward"]
    assert [(point.x, point.y) for point in found[0].points] == [(1, 2.0), (2, 1.5)]
    assert found[1].points == () and 0 < len(found[2].points) <= MOST


@pytest.mark.parametrize("text", ["", "{}", '{"curves": {"loss": [1]}}', '{"curves": {"loss": [["a", 1]]}}'])
def test_what_is_no_card_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(ConfigurationError, match="no checkpoint with curves"):
        read_training([tmp_path])
    with pytest.raises(ConfigurationError, match="no checkpoint with curves"):
        read_training([tmp_path / "nowhere"])
