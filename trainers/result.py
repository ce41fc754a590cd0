"""What is left of a run that came to its end: evaluation, curves, checkpoint, card."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kate_eval.trainers.checkpoint import CheckpointCard, Curves, save_checkpoint
from kate_eval.trainers.checkpoint.card import chain, versions
from kate_eval.trainers.checkpoint.leak import leaked_by
from kate_eval.trainers.curves import curves_of, draw
from kate_eval.trainers.machine import peak_memory
from kate_eval.trainers.work import Ending, Work


def save_result(work: Work[Any]) -> CheckpointCard:
    """Evaluate, and save the checkpoint; called by all processes, of which the first writes.

    Raises:
        TrainingError: the disk is full; the last whole state and an older checkpoint are untouched.
    """
    ending = work.ending()
    evaluation = _evaluation(work, ending)
    curves = curves_of(work.trainer.state.log_history)
    final = work.run.folder / "final"
    with work.saving():
        # Gathered by all processes, where the weights are shared out among them.
        work.trainer.save_model(str(final))
    card = _card(work, ending, evaluation, curves)
    if work.trainer.is_world_process_zero():
        output = work.parameters.output
        card = save_checkpoint(
            output, card, lambda folder: _write(work, folder, final, curves, ending.panels)
        )
        shutil.rmtree(final)
        work.run.finish(card.weights_hash)
    return card


def _evaluation(work: Work[Any], ending: Ending) -> dict[str, Any]:
    """Of the last step: at hand, if it was evaluated."""
    if not ending.held_out:
        return {}
    history, last = work.trainer.state.log_history, work.trainer.state.global_step
    if not any(entry["step"] == last and f"eval_{ending.evaluated[0]}" in entry for entry in history):
        work.trainer.evaluate()
    found = {k: v for e in history if e["step"] == last for k, v in e.items() if k.startswith("eval_")}
    named = {name: found[f"eval_{name}"] for name in ending.evaluated if f"eval_{name}" in found}
    return named | ending.evaluation


def _write(
    work: Work[Any], folder: Path, final: Path, curves: Curves, panels: Mapping[str, tuple[str, ...]]
) -> None:
    """The checkpoint's files; the weights are there already, unless an adapter is to be merged."""
    if work.parameters.merge:
        merged = work.trainer.accelerator.unwrap_model(work.trainer.model).merge_and_unload()
        merged.save_pretrained(folder)
        work.renderer.tokenizer.save_pretrained(folder)
    else:
        for file in final.iterdir():
            if file.name not in ("README.md", "training_args.bin"):
                file.replace(folder / file.name)
    draw(curves, folder / "curves.png", panels)


def _adapts(work: Work[Any]) -> str:
    if work.parameters.kind == "full":
        return ""
    [found] = {config.base_model_name_or_path for config in work.trainer.model.peft_config.values()}
    return str(found)


def _card(work: Work[Any], ending: Ending, evaluation: dict[str, Any], curves: Curves) -> CheckpointCard:
    p = work.parameters
    root, stages = chain(p.base)
    return CheckpointCard(
        trainer=ending.trainer,
        kind=p.kind,
        base=p.base,
        adapts=_adapts(work),
        root=root,
        stages=stages,
        rows_hash=work.rows.hash,
        leaked=leaked_by(work.rows.card, p.base),
        rows={**work.rows.card.model_dump(mode="json"), "used": ending.used},
        config={**p.model_dump(mode="json"), **ending.config},
        renderer={
            "template_hash": work.renderer.hash,
            "template_args": p.template_args,
            "parity": work.parity,
        },
        versions=versions(),
        hardware={
            "device": work.machine.name,
            "bf16": work.machine.bf16,
            "processes": work.trainer.accelerator.num_processes,
            "seconds": round(time.monotonic() - work.began),
            "peak_memory_mib": peak_memory(work.machine),
            **ending.hardware,
        },
        steps=work.trainer.state.global_step,
        curves=curves,
        evaluation=evaluation,
    )
