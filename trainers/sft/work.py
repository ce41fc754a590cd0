"""The parts of an SFT run, which come to be one after the other: renderer, examples, model, trainer."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kate_eval.errors import TrainingError
from kate_eval.trainers.base_model import adapted_by, adapter, context, load_model, load_renderer
from kate_eval.trainers.checkpoint.folder import disk_is_full
from kate_eval.trainers.machine import Machine
from kate_eval.trainers.parity import check_parity
from kate_eval.trainers.rendering import Renderer
from kate_eval.trainers.rows.folder import RowsFolder
from kate_eval.trainers.run import STATE, Run, has_ended, step_of
from kate_eval.trainers.sft.examples import Examples, fitting, length_of, render_rows, require_some
from kate_eval.trainers.sft.packing import check_packing
from kate_eval.trainers.sft.parameters import SftParameters
from kate_eval.trainers.stopping import StopRequest

Say = Callable[[str], None]


class Work:
    """The run's parts, which come to be one after the other."""

    learnt: Examples
    held_out: Examples
    renderer: Renderer
    trainer: Any
    _last: Path | None
    _ended: bool

    def __init__(
        self, parameters: SftParameters, machine: Machine, rows: RowsFolder, run: Run, say: Say
    ) -> None:
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
        self._last = states[-1] if states else None
        self._ended = self._last is not None and has_ended(self._last)
        model = load_model(str(self._last) if self._ended else p.base, self.machine, p.lora)
        self.say(
            f"{p.base}: {model.num_parameters():,} parameters, {self.machine.weights}, {self.machine.name}"
        )
        self._render(context(model))
        if p.packing:
            check_packing(model)
        self.trainer = self._trainer(model, stop)

    def _check_parity(self) -> None:
        url = self.parameters.parity_url
        if url and os.environ.get("RANK", "0") == "0":
            found = check_parity(self.rows.train, self.renderer, url, count=self.parameters.parity_rows)
            self.parity = {"rows": found.rows, "model": found.model}
            self.say(f"The server at {url} makes the same prompts: {found.rows} rows compared.")

    def _render(self, context: int | None) -> None:
        p = self.parameters
        self.say(f"Rendering {len(self.rows.train)} rows, and {len(self.rows.held_out)} held out.")
        train = render_rows(self.rows.train, self.renderer)
        most = length_of(train, p.percentile, context, p.max_length)
        self.learnt = fitting(train, most)
        require_some(self.learnt)
        self.held_out = fitting(render_rows(self.rows.held_out, self.renderer), most)
        self.say(f"To learn: {self.learnt}. Held out: {self.held_out}.")

    def _trainer(self, model: Any, stop: StopRequest) -> Any:
        import transformers

        from kate_eval.trainers.sft import trainer as trl_side
        from kate_eval.trainers.sft.watch import Watch

        p = self.parameters
        processes = int(os.environ.get("WORLD_SIZE", "1"))
        learnt, held_out = self.learnt.kept, self.held_out.kept
        steps = trl_side.steps_of(p, len(learnt), processes)
        config = trl_side.arguments(p, self.machine, self.run.folder, steps, self.learnt.max_length)
        if not held_out:
            config.eval_strategy = transformers.IntervalStrategy.NO
        # A run that goes on has been evaluated at its start.
        config.eval_on_start = bool(held_out) and self._last is None
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(self.run.folder / "tensorboard")
        made = trl_side.StepTrainer(
            learnt=learnt,
            asked=[held_out[i] for i in _places(len(held_out), p.exact_rows)],
            renderer=self.renderer,
            answer_tokens=p.exact_tokens,
            model=model,
            args=config,
            train_dataset=trl_side.as_dataset(learnt),
            eval_dataset=trl_side.as_dataset(held_out) if held_out else None,
            processing_class=self.renderer.tokenizer,
            peft_config=self._new_adapter(),
        )
        made.remove_callback(transformers.PrinterCallback)
        made.add_callback(Watch(self.run, stop, self.say, made.batch_named))
        return made

    def _new_adapter(self) -> Any:
        p = self.parameters
        if not p.lora or self._ended:
            return None
        if adapted_by(p.base) is not None:
            self.say(f"{p.base} is an adapter: it is trained on, with its own rank.")
            return None
        return adapter(p.lora_rank, p.lora_alpha, p.lora_dropout)

    def train(self) -> None:
        """All steps that are left.

        Raises:
            TrainingError: a number is none, or the disk is full.
        """
        import transformers

        last = self._last
        if last is not None:
            self.say(f"Going on from step {step_of(last)}, which {last} holds.")
        if last is not None and self._ended:
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


def _places(count: int, wanted: int) -> list[int]:
    """So many places out of all, at even distances."""
    wanted = min(count, wanted)
    return [place * count // wanted for place in range(wanted)]
