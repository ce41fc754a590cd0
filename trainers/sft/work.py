"""The parts of an SFT run: rendered rows, TRL's trainer, what its card says."""

import os
from typing import Any

from kate_eval.trainers import processes
from kate_eval.trainers.base_model import context
from kate_eval.trainers.sft.examples import Examples, fitting, length_of, render_rows, require_some
from kate_eval.trainers.sft.packing import check_packing
from kate_eval.trainers.sft.parameters import SftParameters
from kate_eval.trainers.stopping import StopRequest
from kate_eval.trainers.work import Ending, Work

PANELS = {
    "loss": ("loss", "eval_loss"),
    "exact match, held out": ("eval_exact_call", "eval_exact_reply"),
    "learning rate": ("learning_rate",),
}


class SftWork(Work[SftParameters]):
    """The parts of an SFT run."""

    learnt: Examples
    held_out: Examples

    def _made(self, model: Any, stop: StopRequest) -> Any:
        self.say(
            f"{self.parameters.base}: {model.num_parameters():,} parameters, {self.machine.weights}, "
            f"{self.machine.name}"
        )
        self._render(context(model))
        if self.parameters.packing:
            check_packing(model)
        return self._watched(self._trainer(model), stop)

    def _render(self, context: int | None) -> None:
        p = self.parameters
        self.say(f"Rendering {len(self.rows.train)} rows, and {len(self.rows.held_out)} held out.")
        train = render_rows(self.rows.train, self.renderer)
        most = length_of(train, p.percentile, context, p.max_length)
        self.learnt = fitting(train, most)
        require_some(self.learnt)
        self.held_out = fitting(render_rows(self.rows.held_out, self.renderer), most)
        self.say(f"To learn: {self.learnt}. Held out: {self.held_out}.")

    def _trainer(self, model: Any) -> Any:
        from kate_eval.trainers.sft import trainer as trl_side

        p = self.parameters
        together = p.batch_size * p.accumulation * processes.count()
        self.say(f"An optimizer step takes {together} {'sequences' if p.packing else 'rows'}{_shared(p)}.")
        learnt, held_out = self.learnt.kept, self.held_out.kept
        steps = trl_side.steps_of(p, len(learnt), processes.count())
        config = trl_side.arguments(p, self.machine, self.run.folder, steps, self.learnt.max_length)
        self._evaluate_where(config, bool(held_out))
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(self.run.folder / "tensorboard")
        return trl_side.StepTrainer(
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

    def ending(self) -> Ending:
        """What the card says of it."""
        return Ending(
            trainer="sft",
            panels=PANELS,
            evaluated=("loss", "exact_call", "exact_call_n", "exact_reply", "exact_reply_n"),
            held_out=bool(self.held_out.kept),
            used=self.learnt.described(),
            evaluation={"rows": len(self.held_out.kept), "left_out": len(self.held_out.left_out)},
        )


def _shared(p: SftParameters) -> str:
    """How a step's rows come about, where several processes take them."""
    if processes.count() == 1:
        return ""
    return f": {processes.count()} processes x {p.batch_size} at a time x {p.accumulation}"


def _places(count: int, wanted: int) -> list[int]:
    """So many places out of all, at even distances."""
    wanted = min(count, wanted)
    return [place * count // wanted for place in range(wanted)]
