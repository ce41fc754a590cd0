"""A training run's own folder, beside its checkpoint: states to resume from, curves, TensorBoard's files.

A state counts once its mark is written, after all its files; others are rests of an interrupted save.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kate_eval.errors import TrainingError

RUN = "run.json"
MARK = "complete"
FINISHED = "finished"
STATE = "trainer_state.json"
_PREFIX = "checkpoint-"
"""As transformers' trainer names its states, and what it writes last in one."""


@dataclass(frozen=True)
class Run:
    """The folder of a run.

    Attributes:
        folder: NAME.run beside the checkpoint NAME.
    """

    folder: Path

    @classmethod
    def of(cls, output: Path) -> "Run":
        """The run of a checkpoint."""
        output = output.absolute()
        return cls(output.with_name(f"{output.name}.run"))

    def begin(self, identity: Mapping[str, Any], restart: bool = False) -> None:
        """Take up the run that is there, or begin one.

        Args:
            identity: what it is made of: parameters, rows' hash, base.
            restart: throw away what is there.

        Raises:
            TrainingError: what is there is made of something else, or can't be read.
        """
        if restart:
            shutil.rmtree(self.folder, ignore_errors=True)
        file = self.folder / RUN
        wanted = json.loads(json.dumps(identity))
        if file.is_file():
            there = _read(file, "Give another -o to keep what is there, or --restart to begin anew")
            if there == wanted:
                self.discard_rests()
                return
            # A run that came to no step, such as one with a mistyped base, holds nothing to keep.
            if self.states() or self.finished:
                raise TrainingError(self._differs(there, wanted))
        self.folder.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
        new.replace(file)
        self.discard_rests()

    def _differs(self, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
        names = sorted(there.keys() | wanted.keys())
        other = [
            f"{name}: {there.get(name)!r}, now {wanted.get(name)!r}"
            for name in names
            if there.get(name) != wanted.get(name)
        ]
        return (
            f"{self.folder} holds a run of other parameters ({'; '.join(other)[:500]}). Give the same ones "
            "to go on with it, another -o to keep it, or --restart to begin anew"
        )

    def states(self) -> list[Path]:
        """Whole states, the latest last."""
        found = [mark.parent for mark in self.folder.glob(f"{_PREFIX}*/{MARK}")]
        return sorted(found, key=lambda state: step_of(state))

    def mark(self, step: int) -> None:
        """Say that the state of a step is whole."""
        (self.folder / f"{_PREFIX}{step}" / MARK).touch()

    def finish(self, weights_hash: str) -> None:
        """Say that the checkpoint is saved, by its weights, and free the room that its states take."""
        (self.folder / FINISHED).write_text(weights_hash + "\n", encoding="utf-8")
        for state in self.states():
            shutil.rmtree(state)

    @property
    def finished(self) -> str:
        """The weights' hash of the checkpoint that was saved; "" while there is none."""
        file = self.folder / FINISHED
        return file.read_text(encoding="utf-8").strip() if file.is_file() else ""

    def discard_rests(self) -> None:
        """Remove states that an interrupted save left."""
        for state in self.folder.glob(f"{_PREFIX}*"):
            if not (state / MARK).is_file():
                shutil.rmtree(state)


def has_ended(state: Path) -> bool:
    """Whether a state is that of the run's last step.

    Raises:
        TrainingError: it can't be read.
    """
    remedy = f"Remove {state}: the same command then goes on from the state before it, if there is one"
    data = _read(state / STATE, remedy)
    try:
        return bool(data["global_step"] >= data["max_steps"])
    except (KeyError, TypeError) as ex:
        raise TrainingError(f"{state / STATE} doesn't say how far it is ({ex!r}). {remedy}") from ex


def _read(file: Path, remedy: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        TrainingError: it is none.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as ex:
        raise TrainingError(f"{file} is no JSON: {ex}. {remedy}") from ex
    if not isinstance(data, dict):
        raise TrainingError(f"{file} holds no JSON object. {remedy}")
    return data


def step_of(state: Path) -> int:
    """The optimizer step of a state."""
    return int(state.name.removeprefix(_PREFIX))
