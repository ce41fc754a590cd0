"""One SFT run from rows to checkpoint, or on from where it was interrupted."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kate_eval.errors import TrainingError
from kate_eval.trainers.base_model import adapter, context, identity, load_model, load_renderer
from kate_eval.trainers.checkpoint import CheckpointCard, Curves, save_checkpoint
from kate_eval.trainers.checkpoint.card import chain, versions
from kate_eval.trainers.checkpoint.folder import disk_is_full
from kate_eval.trainers.curves import curves_of, draw
from kate_eval.trainers.machine import Machine, choose_machine, peak_memory
from kate_eval.trainers.parity import check_parity
from kate_eval.trainers.rendering import Renderer
from kate_eval.trainers.rows.folder import RowsFolder, load_rows
from kate_eval.trainers.run import Run, step_of
from kate_eval.trainers.sft.examples import Examples, fitting, length_of, render_rows
from kate_eval.trainers.sft.packing import check_packing
from kate_eval.trainers.sft.parameters import SftParameters

Say = Callable[[str], None]
PANELS = {
    "loss": ("loss", "eval_loss"),
    "exact match, held out": ("eval_exact_call", "eval_exact_reply"),
    "learning rate": ("learning_rate",),
}


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        card: of the checkpoint; None: it was told to stop before.
        step: the last one done.
        steps: of the whole run.
    """

    card: CheckpointCard | None
    step: int
    steps: int


def train_sft(parameters: SftParameters, say: Say, restart: bool = False) -> Outcome:
    """Train, and save the checkpoint.

    Args:
        parameters: of the run.
        say: shows a line of progress.
        restart: begin anew where an interrupted run could go on.

    Raises:
        TrainingError: it can't start or go on; what was saved before is untouched.
        RowsError: the rows can't be read.
        EndpointError: parity was to be checked, and the server doesn't answer.
    """
    import torch

    from kate_eval.trainers.sft.watch import StopRequest, quiet

    if parameters.merge and not parameters.lora:
        raise TrainingError("--merge puts an adapter into its base: it needs --lora")
    quiet()
    if parameters.threads:
        torch.set_num_threads(parameters.threads)
    first = os.environ.get("RANK", "0") == "0"
    say = say if first else _silent
    machine = choose_machine(
        parameters.device,
        parameters.precision,
        parameters.weights,
        parameters.attention,
        all_weights=not parameters.lora,
    )
    rows = load_rows(parameters.rows)
    run = Run.of(parameters.output)
    if first:
        run.begin({**parameters.identity(), "rows": rows.hash, "base": identity(parameters.base)}, restart)
    work = _Work(parameters, machine, rows, run, say)
    stop = StopRequest()
    with stop.listening(say):
        work.prepare(stop)
        work.train()
        return work.outcome(stop)


def _silent(line: str) -> None:
    """Another process says it."""


class _Work:
    """The run's parts, which come to be one after the other."""

    learnt: Examples
    held_out: Examples
    renderer: Renderer
    trainer: Any

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

    def prepare(self, stop: Any) -> None:
        """Everything up to the first step."""
        p = self.parameters
        self.renderer = load_renderer(p.base, p.chat_template, p.template_args, p.eos_token)
        self._check_parity()
        model = load_model(p.base, self.machine)
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
        held_out = render_rows(self.rows.held_out, self.renderer)
        self.held_out = Examples([e for e in held_out if len(e) <= most], [], most, 0)
        self.held_out = fitting(held_out, most) if self.held_out.kept else self.held_out
        self.say(f"To learn: {self.learnt}. Held out: {self.held_out}.")

    def _trainer(self, model: Any, stop: Any) -> Any:
        import transformers

        from kate_eval.trainers.sft import trainer as trl_side
        from kate_eval.trainers.sft.watch import Watch

        p = self.parameters
        processes = int(os.environ.get("WORLD_SIZE", "1"))
        learnt, held_out = self.learnt.kept, self.held_out.kept
        steps = trl_side.steps_of(p, len(learnt), processes)
        config = trl_side.arguments(p, self.machine, self.run.folder, steps, self.learnt.max_length)
        if not held_out:
            config.eval_strategy, config.eval_on_start = transformers.IntervalStrategy.NO, False
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
            peft_config=adapter(p.lora_rank, p.lora_alpha, p.lora_dropout) if p.lora else None,
        )
        made.remove_callback(transformers.PrinterCallback)
        made.add_callback(Watch(self.run, stop, self.say, made.batch_named))
        return made

    def train(self) -> None:
        """All steps that are left.

        Raises:
            TrainingError: a number is none, or the disk is full.
        """
        states = self.run.states()
        if states:
            self.say(f"Going on from step {step_of(states[-1])}, which {states[-1]} holds.")
        try:
            self.trainer.train(resume_from_checkpoint=str(states[-1]) if states else None)
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

    def outcome(self, stop: Any) -> Outcome:
        """The checkpoint, unless the run was told to stop before its end."""
        state = self.trainer.state
        if stop.made and state.global_step < state.max_steps:
            return Outcome(None, state.global_step, state.max_steps)
        evaluation = self._evaluation()
        curves = curves_of(state.log_history)
        # Gathered by all processes, where the weights are shared out among them.
        final = self.run.folder / "final"
        self.trainer.save_model(str(final))
        card = self._card(evaluation, curves)
        if self.trainer.is_world_process_zero():
            card = save_checkpoint(
                self.parameters.output, card, lambda folder: self._write(folder, final, curves)
            )
        return Outcome(card, state.global_step, state.max_steps)

    def _evaluation(self) -> dict[str, Any]:
        """Of the last step: at hand, if it was evaluated."""
        if not self.held_out.kept:
            return {}
        history, last = self.trainer.state.log_history, self.trainer.state.global_step
        if not any(entry["step"] == last and "eval_loss" in entry for entry in history):
            self.trainer.evaluate()
        found = {k: v for e in history if e["step"] == last for k, v in e.items() if k.startswith("eval_")}
        names = ("loss", "exact_call", "exact_call_n", "exact_reply", "exact_reply_n")
        return {name: found[f"eval_{name}"] for name in names if f"eval_{name}" in found} | {
            "rows": len(self.held_out.kept),
            "left_out": len(self.held_out.left_out),
        }

    def _write(self, folder: Path, final: Path, curves: Curves) -> None:
        """The checkpoint's files; the weights are there already, unless an adapter is to be merged."""
        if self.parameters.merge:
            merged = self.trainer.accelerator.unwrap_model(self.trainer.model).merge_and_unload()
            merged.save_pretrained(folder)
            self.renderer.tokenizer.save_pretrained(folder)
        else:
            for file in final.iterdir():
                if file.name not in ("README.md", "training_args.bin"):
                    file.replace(folder / file.name)
        draw(curves, folder / "curves.png", PANELS)

    def _card(self, evaluation: dict[str, Any], curves: Curves) -> CheckpointCard:
        p = self.parameters
        root, stages = chain(p.base)
        return CheckpointCard(
            trainer="sft",
            kind="adapter" if p.lora and not p.merge else "full",
            base=p.base,
            root=root,
            stages=stages,
            rows_hash=self.rows.hash,
            rows={**self.rows.card.model_dump(mode="json"), "used": self.learnt.described()},
            config=p.model_dump(mode="json"),
            renderer={
                "template_hash": self.renderer.hash,
                "template_args": p.template_args,
                "parity": self.parity,
            },
            versions=versions(),
            hardware={
                "device": self.machine.name,
                "bf16": self.machine.bf16,
                "processes": self.trainer.accelerator.num_processes,
                "seconds": round(time.monotonic() - self.began),
                "peak_memory_mib": peak_memory(self.machine),
            },
            steps=self.trainer.state.global_step,
            curves=curves,
            evaluation=evaluation,
        )


def _places(count: int, wanted: int) -> list[int]:
    """So many places out of all, at even distances."""
    wanted = min(count, wanted)
    return [place * count // wanted for place in range(wanted)]
