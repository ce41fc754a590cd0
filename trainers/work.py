"""The parts of a run that all trainers have: renderer, model, adapter, steps on from a state, full disks."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from kate_eval.errors import TrainingError
from kate_eval.trainers.base_model import adapter, load_model, load_renderer
from kate_eval.trainers.checkpoint.adapter import adapted_by
from kate_eval.trainers.checkpoint.folder import disk_is_full
from kate_eval.trainers.machine import Machine
from kate_eval.trainers.parity import check_parity
from kate_eval.trainers.processes import is_first
from kate_eval.trainers.rendering import Renderer
from kate_eval.trainers.rows.folder import RowsFolder
from kate_eval.trainers.run import STATE, Run, has_ended, step_of
from kate_eval.trainers.run_parameters import RunParameters
from kate_eval.trainers.stopping import StopRequest

Say = Callable[[str], None]
P = TypeVar("P", bound=RunParameters)


@dataclass(frozen=True)
class Ending:
    """What a trainer says of its run.

    Attributes:
        trainer: its name.
        panels: titles and curves of curves.png; the card has all curves.
        evaluated: names of the figures on held-out rows, the first of them always there.
        held_out: whether there are such rows.
        used: of the rows.
        config: parameters, where the card has another value than was given.
        hardware: more of it.
        evaluation: more of it.
    """

    trainer: str
    panels: Mapping[str, tuple[str, ...]]
    evaluated: tuple[str, ...]
    held_out: bool
    used: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)


class Work(ABC, Generic[P]):
    """A run's parts, which come to be one after the other.

    Args:
        parameters: of the run.
        machine: what it computes on.
        rows: to learn from.
        run: its own folder.
        say: shows a line of progress.
    """

    renderer: Renderer
    trainer: Any
    last: Path | None
    """The state to go on from."""
    ended: bool
    """Whether that is the last step's: only the checkpoint is missing."""

    def __init__(self, parameters: P, machine: Machine, rows: RowsFolder, run: Run, say: Say) -> None:
        self.parameters = parameters
        self.machine = machine
        self.rows = rows
        self.run = run
        self.say = say
        self.began = time.monotonic()
        self.parity: dict[str, Any] = {}

    def prepare(self, stop: StopRequest) -> None:
        """Everything up to the first step."""
        p = self.parameters
        self.renderer = load_renderer(p.base, p.chat_template, p.template_args, p.eos_token)
        self._check_parity()
        states = self.run.states()
        self.last = states[-1] if states else None
        self.ended = self.last is not None and has_ended(self.last)
        model = load_model(str(self.last) if self.ended else p.base, self.machine, p.lora)
        self.trainer = self._made(model, stop)

    @abstractmethod
    def _made(self, model: Any, stop: StopRequest) -> Any:
        """TRL's trainer of the model, on what is to be learnt."""

    @abstractmethod
    def ending(self) -> Ending:
        """What the checkpoint's card says of the run that another trainer's would not."""

    def _check_parity(self) -> None:
        url = self.parameters.parity_url
        if url and is_first():
            found = check_parity(self.rows.train, self.renderer, url, count=self.parameters.parity_rows)
            self.parity = {"rows": found.rows, "model": found.model}
            self.say(f"The server at {url} makes the same prompts: {found.rows} rows compared.")

    def _evaluate_where(self, config: Any, held_out: bool) -> None:
        """Only what is held out; at the start, unless a run goes on, which has been evaluated there."""
        import transformers

        if not held_out:
            config.eval_strategy = transformers.IntervalStrategy.NO
        config.eval_on_start = held_out and self.last is None

    def _watched(self, trainer: Any, stop: StopRequest) -> Any:
        import transformers

        from kate_eval.trainers.watch import Watch

        trainer.remove_callback(transformers.PrinterCallback)
        trainer.add_callback(Watch(self.run, stop, self.say, trainer.batch_named))
        return trainer

    def _new_adapter(self) -> Any:
        p = self.parameters
        if not p.lora or self.ended:
            return None
        if adapted_by(p.base) is not None:
            self.say(f"{p.base} is an adapter: it is trained on, with its own rank.")
            return None
        return adapter(p.lora_rank, p.lora_alpha, p.lora_dropout)

    def train(self) -> None:
        """All steps that are left.

        Raises:
            TrainingError: a number is none, a rollout or a reward failed, or the disk is full.
        """
        import transformers

        last = self.last
        if last is not None:
            self.say(f"Going on from step {step_of(last)}, which {last} holds.")
        if last is not None and self.ended:
            # The trainer would do one step too many; the model has this state's weights already.
            self.trainer.state = transformers.TrainerState.load_from_json(str(last / STATE))
            return
        with self.saving():
            self.trainer.train(resume_from_checkpoint=str(last) if last else None)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Clear up after a full disk, and say what is left.

        Raises:
            TrainingError: the disk is full.
        """
        try:
            yield
        except Exception as ex:
            if (full := disk_is_full(ex)) is None:
                raise
            self.run.discard_rests()
            whole = self.run.states()
            kept = f"the state of step {step_of(whole[-1])} is whole" if whole else "there is none before it"
            raise TrainingError(
                f"No room to save the state of step {self.trainer.state.global_step} ({full}): {kept}. Free "
                "the disk and run the same command again; it goes on from there"
            ) from ex
