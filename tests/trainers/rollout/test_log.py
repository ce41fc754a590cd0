"""Rollouts are written so that people can read them, and no more of them than may be."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from kate_eval.errors import TrainingError
from kate_eval.trainers.commands import train
from kate_eval.trainers.rollout.log import MIB, RolloutLog, read_rollouts
from tests.trainers.rollout.playing import gold_row, play, written

ROW = gold_row("multi_turn_base_0")
FOUND = play(ROW, ["I can't."])


def test_a_rollout_can_be_read_again(tmp_path: Path) -> None:
    log = RolloutLog(tmp_path / "out.run", 1)
    log.write(3, "train", [ROW, ROW], [FOUND, FOUND])
    log.write(3, "eval", [ROW], [FOUND])
    records = list(read_rollouts(tmp_path / "out"))
    assert [(r["kind"], r["step"], r["row"]) for r in records] == [
        ("eval", 3, ROW.id),
        ("train", 3, ROW.id),
        ("train", 3, ROW.id),
    ]
    assert records[0]["messages"] == [{"role": "assistant", "content": "I can't."}]
    assert records[0]["gold"][0] == "cd(folder='document')" and records[0]["reward"] == 0
    assert records[0]["parts"] == {"verdict": 0, "recall": 0, "needless": 0}


def test_a_step_that_is_played_again_replaces_its_rollouts(tmp_path: Path) -> None:
    log = RolloutLog(tmp_path, 1)
    log.write(1, "train", [ROW, ROW], [FOUND, FOUND])
    log.write(1, "train", [ROW], [FOUND])
    assert len(list(read_rollouts(tmp_path))) == 1


def test_the_oldest_go_where_they_get_too_many(tmp_path: Path) -> None:
    log = RolloutLog(tmp_path, 1)
    log.write(1, "train", [ROW], [FOUND])
    whole = (MIB // len(json.dumps(next(read_rollouts(tmp_path))))) + 1
    log.write(2, "train", [ROW] * whole, [FOUND] * whole)
    assert {record["step"] for record in read_rollouts(tmp_path)} == {2}
    log.write(10, "eval", [ROW], [FOUND])
    assert {record["step"] for record in read_rollouts(tmp_path)} == {10}


def test_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"No rollouts in .*out or .*out\.run"):
        list(read_rollouts(tmp_path / "out"))


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    RolloutLog(tmp_path, 1).write(1, "train", [ROW], [FOUND])
    [file] = (tmp_path / "rollouts").iterdir()
    file.write_text('{"row": "a"}\n{oops\n')
    with pytest.raises(TrainingError, match=r"train-0000001-000\.jsonl, line 2"):
        list(read_rollouts(tmp_path))


def test_the_command_shows_them(tmp_path: Path) -> None:
    log = RolloutLog(tmp_path, 1)
    log.write(1, "train", [ROW], [FOUND])
    log.write(2, "train", [ROW], [play(ROW, [*map(written, FOUND.findings.gold), "Done."])])
    shown = CliRunner().invoke(train, ["rollouts", str(tmp_path), "--order", "best", "-n", "1"])
    assert shown.exit_code == 0, shown.output
    assert "step 2, multi_turn_base_0/0/0/step: reward 1.00 (verdict 1.00" in shown.output
    assert 'calls: cd {"folder": "document"}' in shown.output and "1 of 2 rollouts." in shown.output
    worst = CliRunner().invoke(train, ["rollouts", str(tmp_path), "--step", "1"])
    for arguments, said in (
        (["--step", "99"], "No rollouts of step 99; there are 1-2 (the oldest go"),
        (["--row", "nobody"], f"begin with 'nobody'; there are, for instance: {ROW.id}"),
        (["--held-out"], "look at the others, without --held-out"),
    ):
        missing = CliRunner().invoke(train, ["rollouts", str(tmp_path), *arguments])
        assert isinstance(missing.exception, TrainingError) and said in str(missing.exception)
    assert "assistant: I can't." in worst.output and "1 of 1 rollouts." in worst.output
