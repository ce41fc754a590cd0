"""One GRPO run from rows to checkpoint, or on from where it was interrupted."""

import os
import shutil
import time
from pathlib import Path
from typing import Any

from kate_eval.errors import TrainingError
from kate_eval.trainers.base_model import adapted_by, adapter, context, identity, load_model, load_renderer
from kate_eval.trainers.checkpoint import CheckpointCard, Curves, save_checkpoint
from kate_eval.trainers.checkpoint.card import chain, versions
from kate_eval.trainers.checkpoint.folder import disk_is_full
from kate_eval.trainers.curves import curves_of, draw
from kate_eval.trainers.grpo.generation import choose_vllm
from kate_eval.trainers.grpo.parameters import GrpoParameters
from kate_eval.trainers.grpo.starts import Starts, choose_starts, require_starts
from kate_eval.trainers.machine import Machine, choose_machine, peak_memory
from kate_eval.trainers.parity import check_parity
from kate_eval.trainers.rendering import Renderer
from kate_eval.trainers.rewards import find_reward
from kate_eval.trainers.rollout import Player
from kate_eval.trainers.rollout.log import RolloutLog
from kate_eval.trainers.rows.folder import RowsFolder, load_rows
from kate_eval.trainers.run import STATE, Run, has_ended, step_of
from kate_eval.trainers.sft.train import Outcome, Say, finished
from kate_eval.trainers.stopping import StopRequest

PANELS = {
    "reward": ("reward", "eval_reward"),
    "spread in groups": ("reward_std", "frac_reward_zero_std"),
    "tokens sampled": ("rollouts/tokens",),
    "loss": ("loss",),
}
"""Titles and curves of curves.png; the card has all curves."""


def train_grpo(parameters: GrpoParameters, say: Say, restart: bool = False) -> Outcome:
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

    from kate_eval.trainers.sft.watch import quiet

    if parameters.merge and not parameters.lora:
        raise TrainingError("--merge puts an adapter into its base: it needs --lora")
    quiet()
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    if parameters.threads:
        torch.set_num_threads(parameters.threads)
    first = os.environ.get("RANK", "0") == "0"
    say = say if first else (lambda line: None)
    machine = choose_machine(
        parameters.device,
        parameters.precision,
        parameters.weights,
        parameters.attention,
        all_weights=not parameters.lora,
    )
    vllm = choose_vllm(parameters.generation, parameters.vllm_url, machine)
    rows = load_rows(parameters.rows)
    run = Run.of(parameters.output)
    if first:
        run.begin({**parameters.identity(), "rows": rows.hash, "base": identity(parameters.base)}, restart)
    if not restart and (there := finished(parameters.output, run, parameters.kind)) is not None:
        say(f"{parameters.output} holds this run's checkpoint already; --restart trains it anew.")
        return Outcome(there, there.steps, there.steps)
    work = _Work(parameters, machine, vllm, rows, run, say)
    stop = StopRequest()
    with stop.listening(say):
        work.prepare(stop)
        work.train()
        return work.outcome(stop)


class _Work:
    """The run's parts, which come to be one after the other."""

    learnt: Starts
    held_out: Starts
    renderer: Renderer
    trainer: Any
    _last: Path | None
    _ended: bool

    def __init__(
        self,
        parameters: GrpoParameters,
        machine: Machine,
        vllm: str | None,
        rows: RowsFolder,
        run: Run,
        say: Say,
    ) -> None:
        self.parameters = parameters
        self.rule = find_reward(parameters.reward)
        self.machine = machine
        self.vllm = vllm
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
        states = self.run.states()
        self._last = states[-1] if states else None
        self._ended = self._last is not None and has_ended(self._last)
        model = load_model(str(self._last) if self._ended else p.base, self.machine, p.lora)
        self.say(
            f"{p.base}: {model.num_parameters():,} parameters, {self.machine.weights}, {self.machine.name}; "
            f"sampled by {'vLLM, ' + self.vllm if self.vllm else 'transformers'}"
        )
        bounds = p.bounds(context(model))
        level, shown = self.rule.level, p.knowledge
        self.learnt = choose_starts(self.rows.train, level, shown, self.renderer, bounds)
        require_starts(self.learnt, level)
        held_out = choose_starts(self.rows.held_out, level, shown, self.renderer, bounds)
        self.held_out = held_out.thinned(p.eval_rows)
        self.say(f"To learn: {self.learnt}. Held out: {self.held_out}.")
        follow_ups = {**self.learnt.follow_ups, **self.held_out.follow_ups}
        player = Player(self.rule, self.renderer, bounds, p.parser, follow_ups, p.at_once)
        self.trainer = self._trainer(model, player, stop)

    def _check_parity(self) -> None:
        url = self.parameters.parity_url
        if url and os.environ.get("RANK", "0") == "0":
            found = check_parity(self.rows.train, self.renderer, url, count=self.parameters.parity_rows)
            self.parity = {"rows": found.rows, "model": found.model}
            self.say(f"The server at {url} makes the same prompts: {found.rows} rows compared.")

    def _trainer(self, model: Any, player: Player, stop: Any) -> Any:
        import transformers

        from kate_eval.trainers.grpo import trainer as trl_side
        from kate_eval.trainers.sft.watch import Watch

        p = self.parameters
        if len(self.learnt.rows) < p.prompts:
            raise TrainingError(
                f"{len(self.learnt.rows)} rows can begin rollouts, and a step takes {p.prompts}: "
                "lower --prompts, or give more rows"
            )
        processes, rank = (int(os.environ.get(name, n)) for name, n in (("WORLD_SIZE", "1"), ("RANK", "0")))
        steps = trl_side.steps_of(p, len(self.learnt.rows))
        config = trl_side.arguments(
            p, self.machine, self.renderer, self.run.folder, steps, processes, self.vllm
        )
        if not self.held_out.rows:
            config.eval_strategy = transformers.IntervalStrategy.NO
        # A run that goes on has been evaluated at its start.
        config.eval_on_start = bool(self.held_out.rows) and self._last is None
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(self.run.folder / "tensorboard")
        made = trl_side.RolloutTrainer(
            rows=self.learnt.rows,
            asked=self.held_out.rows,
            player=player,
            log=RolloutLog(self.run.folder, p.log_mib, rank),
            parameters=p,
            make_policy=trl_side.policy_maker(p, self.renderer, self.vllm is not None),
            model=model,
            args=config,
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
            TrainingError: a number is none, a rollout or a reward failed, or the disk is full.
        """
        import transformers

        last = self._last
        if last is not None:
            self.say(f"Going on from step {step_of(last)}, which {last} holds.")
        if last is not None and self._ended:
            # The trainer would do one step too many; the model has this state's weights already.
            self.trainer.state = transformers.TrainerState.load_from_json(str(last / STATE))
            return
        try:
            self.trainer.train(resume_from_checkpoint=str(last) if last else None)
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
            shutil.rmtree(final)
            self.run.finish(card.weights_hash)
        return Outcome(card, state.global_step, state.max_steps)

    def _evaluation(self) -> dict[str, Any]:
        """Of the last step: at hand, if it was evaluated."""
        if not self.held_out.rows:
            return {}
        history, last = self.trainer.state.log_history, self.trainer.state.global_step
        if not any(entry["step"] == last and "eval_reward" in entry for entry in history):
            self.trainer.evaluate()
        found = {k: v for e in history if e["step"] == last for k, v in e.items() if k.startswith("eval_")}
        return {name: found[f"eval_{name}"] for name in ("reward", "truncated", "reward_n")}

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

    def _adapts(self) -> str:
        if not self.parameters.lora or self.parameters.merge:
            return ""
        [found] = {config.base_model_name_or_path for config in self.trainer.model.peft_config.values()}
        return str(found)

    def _card(self, evaluation: dict[str, Any], curves: Curves) -> CheckpointCard:
        p = self.parameters
        root, stages = chain(p.base)
        return CheckpointCard(
            trainer="grpo",
            kind=p.kind,
            base=p.base,
            adapts=self._adapts(),
            root=root,
            stages=stages,
            rows_hash=self.rows.hash,
            rows={**self.rows.card.model_dump(mode="json"), "used": self.learnt.described()},
            config={**p.model_dump(mode="json"), "learning_rate": p.rate},
            renderer={
                "template_hash": self.renderer.hash,
                "template_args": p.template_args,
                "parity": self.parity,
            },
            versions=versions(),
            hardware={
                "device": self.machine.name,
                "bf16": self.machine.bf16,
                "sampled_by": f"vLLM, {self.vllm}" if self.vllm else "transformers",
                "processes": self.trainer.accelerator.num_processes,
                "seconds": round(time.monotonic() - self.began),
                "peak_memory_mib": peak_memory(self.machine),
            },
            steps=self.trainer.state.global_step,
            curves=curves,
            evaluation=evaluation,
        )
