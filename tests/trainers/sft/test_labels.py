"""What the loss is on: decoded from the very batches that the model is given, packed or not."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from kate_eval.errors import TrainingError
from kate_eval.trainers.machine import choose_machine
from kate_eval.trainers.rows.folder import load_rows
from kate_eval.trainers.run import Run
from kate_eval.trainers.sft.packing import check_packing
from kate_eval.trainers.sft.parameters import SftParameters
from kate_eval.trainers.sft.train import _Work
from kate_eval.trainers.sft.watch import StopRequest
from tests.trainers import tiny

pytestmark = pytest.mark.train
Make = Callable[..., SftParameters]


def prepared(parameters: SftParameters) -> _Work:
    """A run before its first step."""
    machine = choose_machine("cpu", "fp32", "fp32", "auto", all_weights=True)
    work = _Work(
        parameters, machine, load_rows(parameters.rows), Run.of(parameters.output), lambda line: None
    )
    work.prepare(StopRequest())
    return work


def learnt(work: _Work) -> list[str]:
    """The texts of the labels with loss, of a whole epoch."""
    found = []
    for batch in work.trainer.get_train_dataloader():
        for labels in batch["labels"].tolist():
            text, before = [], False
            for label in labels:
                if label != -100 and not before:
                    text.append([])
                before = label != -100
                if before:
                    text[-1].append(label)
            found += [work.renderer.decode(ids) for ids in text]
    return found


@pytest.mark.parametrize("packing", [False, True])
def test_the_loss_is_on_the_answers_alone(parameters: Make, packing: bool) -> None:
    work = prepared(parameters(packing=packing, max_length=512 if packing else None))
    answers = [
        '<tool_call>\n{"name": "mkdir", "arguments": '
        + row.completion["tool_calls"][0]["function"]["arguments"]
        + "}\n</tool_call><|im_end|>"
        for row in work.rows.train
    ]
    assert sorted(learnt(work)) == sorted(answers)


def test_packed_rows_are_learnt_as_alone(parameters: Make, rows: Any, base: Any, tmp_path: Any) -> None:
    """The same loss over all rows: no row sees another, and the first token of each is where it was."""
    from kate_eval.trainers.rows.folder import save_rows

    from .conftest import CARD

    torch = import_module("torch")
    wide = tiny.base(tmp_path / "wide", positions=2048)
    (tmp_path / "rows").mkdir()
    save_rows(tmp_path / "rows", tiny.rows(8), [], CARD)
    losses = {}
    for packing in (False, True):
        given = parameters(
            base=str(wide),
            rows=tmp_path / "rows",
            packing=packing,
            max_length=2048,
            batch_size=1,
            accumulation=1,
        )
        trainer = prepared(given).trainer
        batches = list(trainer.get_train_dataloader())
        assert len(batches) == (2 if packing else 8)
        with torch.no_grad():
            total = sum(
                float(trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=torch.tensor(1)))
                for batch in batches
            )
        losses[packing] = total
    assert losses[True] == pytest.approx(losses[False], rel=1e-5)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_attention_that_keeps_rows_apart_may_pack(attention: str) -> None:
    model = tiny.model(tiny.tokenizer())
    model.set_attn_implementation(attention)
    check_packing(model)


def test_attention_that_does_not_keep_rows_apart_is_refused() -> None:
    model = tiny.model(tiny.tokenizer())
    given = model.forward

    def without_positions(*args: Any, **inputs: Any) -> Any:
        inputs.pop("position_ids", None)
        return given(*args, **inputs)

    model.forward = without_positions
    with pytest.raises(TrainingError, match="rows in one sequence would see each other.*--packing"):
        check_packing(model)
