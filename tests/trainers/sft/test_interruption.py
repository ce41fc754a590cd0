"""Runs that are killed, told to stop, or out of room: the same command goes on to the same losses."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from kate_eval.errors import TrainingError
from kate_eval.trainers.run import MARK, Run
from kate_eval.trainers.sft.parameters import SftParameters
from kate_eval.trainers.sft.train import train_sft

pytestmark = pytest.mark.train
Make = Callable[..., SftParameters]
STEPS = 24
PATIENCE = 240
"""Seconds that another process may take to its first state, on a machine that does much else."""


def silent(line: str) -> None:
    """Nobody listens."""


def started(parameters: SftParameters, config: Path) -> "subprocess.Popen[str]":
    """The run in a process of its own."""
    values = parameters.model_dump(mode="json", exclude_none=True)
    config.write_text(yaml.safe_dump(values))
    command = [sys.executable, "-m", "kate_eval.trainers", "sft", "--config", str(config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_state(run: Run, process: "subprocess.Popen[str]", beyond: int) -> None:
    """Wait until a state after a step is whole."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if any(int(mark.parent.name.split("-")[1]) > beyond for mark in run.folder.glob(f"*/{MARK}")):
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    pytest.fail("no state in time")


def test_a_killed_and_a_stopped_run_come_to_the_same_losses(parameters: Make, tmp_path: Path) -> None:
    """With dropout, so that the state of the random numbers counts too."""
    given = parameters(
        max_steps=STEPS, save_steps=3, eval_steps=8, lora=True, lora_dropout=0.2, output=tmp_path / "cut"
    )
    run = Run.of(given.output)
    killed = started(given, tmp_path / "run.yaml")
    wait_for_state(run, killed, beyond=0)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    first = run.states()[-1]
    assert not given.output.exists()

    stopped = started(given, tmp_path / "run.yaml")
    wait_for_state(run, stopped, beyond=int(first.name.split("-")[1]))
    stopped.send_signal(signal.SIGINT)
    said, _ = stopped.communicate(timeout=PATIENCE)
    assert stopped.returncode == 130, said
    assert "Going on from step" in said and "The same command goes on from there" in said
    assert not given.output.exists() and run.states()

    resumed = train_sft(given, silent).card
    whole = train_sft(given.model_copy(update={"output": tmp_path / "whole"}), silent).card
    assert resumed and whole and len(whole.curves["loss"]) == STEPS
    assert resumed.curves == whole.curves
    assert resumed.weights_hash == whole.weights_hash


class Full:
    """A disk that is full from the second state on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        torch = import_module("torch")
        self._save = torch.save
        self.active = True
        monkeypatch.setattr(torch, "save", self)

    def __call__(self, value: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        if self.active and "checkpoint-2" in str(file):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        return self._save(value, file, *args, **kwargs)


def test_a_full_disk_leaves_the_last_whole_state(parameters: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    given = parameters(save_steps=1, exact_rows=0)
    disk = Full(monkeypatch)
    with pytest.raises(TrainingError, match=r"No room to save the state of step 2 .*step 1 is whole"):
        train_sft(given, silent)
    run = Run.of(given.output)
    assert [state.name for state in run.states()] == ["checkpoint-1"]
    assert sorted(path.name for path in run.folder.glob("checkpoint-*")) == ["checkpoint-1"]
    disk.active = False
    lines: list[str] = []
    assert train_sft(given, lines.append).card
    assert any(line.startswith("Going on from step 1") for line in lines)


@pytest.mark.parametrize("lora", [False, True])
def test_a_full_disk_at_the_end_loses_no_step(
    parameters: Make, monkeypatch: pytest.MonkeyPatch, lora: bool
) -> None:
    def full(*given: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    given = parameters(save_steps=2, exact_rows=0, max_steps=2, lora=lora)
    with monkeypatch.context() as patch, pytest.raises(TrainingError, match="No room to save"):
        patch.setattr("kate_eval.trainers.result.draw", full)
        train_sft(given, silent)
    assert not given.output.exists()
    lines: list[str] = []
    card = train_sft(given, lines.append).card
    whole = train_sft(given.model_copy(update={"output": given.output.with_name("whole")}), silent).card
    assert card and whole and card.curves == whole.curves and card.weights_hash == whole.weights_hash
    assert card.adapts == whole.adapts and card.evaluation == whole.evaluation
    assert any(line.startswith("Going on from step 2") for line in lines)


def test_rests_of_a_state_are_not_gone_on_from(tmp_path: Path) -> None:
    run = Run(tmp_path / "x.run")
    for step in (1, 2, 10):
        (run.folder / f"checkpoint-{step}").mkdir(parents=True)
    run.mark(2)
    run.mark(10)
    run.begin({"a": 1})
    assert [state.name for state in run.states()] == ["checkpoint-2", "checkpoint-10"]
    assert not (run.folder / "checkpoint-1").exists()
