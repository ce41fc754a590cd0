"""What the loss is on: decoded from the very batches that the model is given, packed or not."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from kate_eval.errors import TrainingError
from kate_eval.trainers.machine import choose_machine
from kate_eval.trainers.rows.folder import load_rows
from kate_eval.trainers.run import Run
from kate_eval.trainers.sft.packing import check_packing
from kate_eval.trainers.sft.parameters import SftParameters
from kate_eval.trainers.sft.work import SftWork
from kate_eval.trainers.stopping import StopRequest
from tests.trainers import tiny

pytestmark = pytest.mark.train
Make = Callable[..., SftParameters]


def prepared(parameters: SftParameters) -> SftWork:
    """A run before its first step."""
    machine = choose_machine("cpu", "fp32", "fp32", "auto", all_weights=True)
    work = SftWork(
        parameters, machine, load_rows(parameters.rows), Run.of(parameters.output), lambda line: None
    )
    work.prepare(StopRequest())
    return work


def learnt(work: SftWork) -> list[str]:
    """The texts of the labels with loss, of a whole epoch."""
    found = []
    for batch in work.trainer.get_train_dataloader():
        for labels in batch["labels"].tolist():
            text: list[list[int]] = []
            before = False
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
    work = prepared(parameters(packing=packing, max_length=512))
    names = [tiny.folder_of(row) for row in work.rows.train]
    answers = [
        f'<tool_call>\n{{"name": "mkdir", "arguments": {{"dir": "{name}"}}}}\n</tool_call><|im_end|>'
        for name in names
    ]
    assert sorted(learnt(work)) == sorted(answers)


def total_loss(parameters: SftParameters) -> tuple[int, float]:
    """Batches of an epoch, and the loss summed over all tokens that have one."""
    torch = import_module("torch")
    trainer = prepared(parameters).trainer
    batches = list(trainer.get_train_dataloader())
    counted = {"num_items_in_batch": torch.tensor(1)}
    with torch.no_grad():
        losses = [trainer.compute_loss(trainer.model, dict(batch), **counted) for batch in batches]
    return len(batches), float(sum(losses))


def test_packed_rows_are_learnt_as_alone(parameters: Make, tmp_path: Path) -> None:
    """The same loss over all rows: none sees another, and each begins at its own first place."""
    wide = tiny.base(tmp_path / "wide", positions=2048)
    given = parameters(base=str(wide), max_length=2048, batch_size=1, accumulation=1)
    alone = total_loss(given)
    packed = total_loss(given.model_copy(update={"packing": True}))
    assert (alone[0], packed[0]) == (12, 3)
    assert packed[1] == pytest.approx(alone[1], rel=1e-5)


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
    with pytest.raises(TrainingError, match=r"rows in one sequence would see each other.*--packing"):
        check_packing(model)
