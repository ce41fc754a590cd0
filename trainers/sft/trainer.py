"""TRL's SFTTrainer on our examples: stops at a loss that is none, and answers held-out steps at evaluations.

TRL itself builds nothing from the rows: ids and labels are ours (examples.py).
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import datasets
import trl

from kate_eval.errors import TrainingError
from kate_eval.trainers.machine import Machine
from kate_eval.trainers.rendering import Renderer
from kate_eval.trainers.sft.exact import exact_match
from kate_eval.trainers.sft.examples import Example
from kate_eval.trainers.sft.parameters import SftParameters
from kate_eval.trainers.watch import not_finite

_NAMED = 20
"""Rows that a message names at most."""


class StepTrainer(trl.SFTTrainer):  # type: ignore[misc]
    """An SFTTrainer that knows which rows it is at.

    Args:
        learnt: the examples of the training set, in its order.
        asked: held-out examples to answer at each evaluation.
        renderer: whose tokens end an answer.
        answer_tokens: of an answer at most.
        options: of trl.SFTTrainer.
    """

    def __init__(
        self,
        *,
        learnt: Sequence[Example],
        asked: Sequence[Example],
        renderer: Renderer,
        answer_tokens: int,
        **options: Any,
    ) -> None:
        self._learnt = learnt
        self._asked = asked
        self._renderer = renderer
        self._answer_tokens = answer_tokens
        self._batches: list[list[list[int]]] = []
        super().__init__(**options)

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The loss of a batch.

        Raises:
            TrainingError: it is no number; names the batch's rows.
        """
        import torch

        training = self.model.training
        if training:
            self._remember(inputs)
        loss = super().compute_loss(model, inputs, *args, **kwargs)
        value = loss[0] if isinstance(loss, tuple) else loss
        if training and not torch.isfinite(value.detach()):
            batch = self.batch_named(self._batches[-1:])
            raise TrainingError(not_finite("loss", value.item(), self.state.global_step + 1, batch))
        return loss

    def _remember(self, inputs: Any) -> None:
        kept = self.args.gradient_accumulation_steps
        self._batches = [*self._batches, _sequences(inputs)][-kept:]

    def batch_named(self, batches: Sequence[list[list[int]]] | None = None) -> str:
        """The rows of the last step's batches, in words."""
        batches = self._batches if batches is None else batches
        by_ids = {tuple(example.input_ids): example.row.id for example in self._learnt}
        names = [by_ids.get(tuple(ids), "a row that can't be found") for b in batches for ids in b]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return f"the rows {', '.join(names[:_NAMED])}{more}"

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The loss on held-out rows, and the exact match of answers to some of them."""
        metrics: dict[str, float] = super().evaluate(*args, **kwargs)
        if self._asked and not self.is_fsdp_enabled and not self.is_deepspeed_enabled:
            found = self._answered()
            metrics |= found
            self.log(found)
        return metrics

    def _answered(self) -> dict[str, float]:
        """Each process answers a part; what is counted is put together."""
        import torch

        mine = self._asked[self.accelerator.process_index :: self.accelerator.num_processes]
        model = self.accelerator.unwrap_model(self.model)
        with self.accelerator.autocast():
            found = exact_match(
                model,
                self.processing_class,
                mine,
                self._renderer.stop_ids,
                self._answer_tokens,
            )
        counts = torch.tensor([*found.calls, *found.replies], device=self.accelerator.device)
        [rows, right, silent, silent_right] = self.accelerator.reduce(counts, "sum").tolist()
        whole = type(found)((rows, right), (silent, silent_right))
        return {f"eval_{name}": value for name, value in whole.metrics().items()}


def _sequences(inputs: Any) -> list[list[int]]:
    """The rows' ids in a batch: without padding, and packed ones apart."""
    if "attention_mask" in inputs:
        pairs = zip(inputs["input_ids"], inputs["attention_mask"], strict=True)
        return [ids[mask.bool()].tolist() for ids, mask in pairs]
    ids, places = inputs["input_ids"][0].tolist(), inputs["position_ids"][0].tolist()
    starts = [place for place, position in enumerate(places) if position == 0] + [len(ids)]
    return [ids[a:b] for a, b in pairwise(starts)]


def as_dataset(examples: Sequence[Example]) -> Any:
    """Examples as TRL takes tokenised rows."""
    return datasets.Dataset.from_dict(
        {"input_ids": [e.input_ids for e in examples], "labels": [e.labels for e in examples]}
    )


def steps_of(parameters: SftParameters, sequences: int, processes: int) -> int:
    """Optimizer steps of the whole run."""
    batches = math.ceil(sequences / (parameters.batch_size * processes))
    whole = math.ceil(math.ceil(batches / parameters.accumulation) * parameters.epochs)
    return min(whole, parameters.max_steps or whole)


def arguments(parameters: SftParameters, machine: Machine, folder: Path, steps: int, max_length: int) -> Any:
    """TRL's configuration.

    Args:
        parameters: of the run.
        machine: what it computes on.
        folder: of the run.
        steps: of the whole run.
        max_length: of a packed sequence.
    """
    every = parameters.eval_steps or max(1, steps // 5)
    checkpointing = machine.cuda if parameters.checkpointing is None else parameters.checkpointing
    return trl.SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=parameters.batch_size,
        per_device_eval_batch_size=parameters.batch_size,
        gradient_accumulation_steps=parameters.accumulation,
        learning_rate=parameters.learning_rate,
        lr_scheduler_type=parameters.schedule,
        warmup_steps=parameters.warmup,
        weight_decay=parameters.weight_decay,
        max_grad_norm=parameters.max_grad_norm,
        num_train_epochs=parameters.epochs,
        max_steps=parameters.max_steps or -1,
        logging_steps=1,
        logging_nan_inf_filter=False,
        eval_strategy="steps",
        eval_steps=every,
        eval_on_start=True,
        save_steps=parameters.save_steps or every,
        save_total_limit=parameters.keep,
        seed=parameters.seed,
        data_seed=parameters.seed,
        bf16=machine.bf16,
        use_cpu=not machine.cuda,
        ddp_find_unused_parameters=False,
        gradient_checkpointing=checkpointing,
        max_length=max_length if parameters.packing else None,
        packing=parameters.packing,
        packing_strategy="bfd",
        eval_packing=False,
        report_to="tensorboard",
        disable_tqdm=True,
    )
