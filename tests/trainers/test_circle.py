"""The whole circle with real parts: rows, SFT, GRPO, a checkpoint on a real server, a row of the report."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mechanism.run import Size, check

from kate_eval.trainers.checkpoint import load_card

pytestmark = [pytest.mark.train, pytest.mark.server]
ROOT = Path(__file__).parents[2]
SMALLEST = Size(
    seeds=1,
    base_steps=30,
    sft_epochs=0.1,
    rl_entries=2,
    rl_steps=2,
    test_steps=12,
    sampled_steps=6,
    candidates=4,
    rescored=1,
)


def test_rows_become_a_checkpoint_that_the_report_shows(tmp_path: Path) -> None:
    vllm = os.environ.get("KATE_EVAL_VLLM_PYTHON") or str(ROOT / ".venv-vllm/bin/python")
    check(tmp_path, SMALLEST, vllm)
    found = json.loads((tmp_path / "results.json").read_text())
    assert len(found["claims"]) == 7, found
    assert (tmp_path / "mechanism.png").stat().st_size > 10_000

    card = load_card(tmp_path / "seed-0/rl")
    assert (card.trainer, card.root) == ("grpo", str(tmp_path / "seed-0/base"))
    assert [stage.split(":")[0] for stage in card.stages] == ["sft"]
    assert {score.solver: score.samples for score in card.scores} == {"baseline": 4, "kate": 4}

    shown = subprocess.run(
        [str(Path(sys.executable).with_name("kate")), "report", str(tmp_path / "logs")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for model in ("kate/sft", "kate/rl"):
        assert shown.count(model) >= 2, shown
