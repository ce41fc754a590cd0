"""What is left of an SFT run that came to its end: evaluation, curves, checkpoint, card."""

import shutil
import time
from pathlib import Path
from typing import Any

from kate_eval.trainers.checkpoint import CheckpointCard, Curves, save_checkpoint
from kate_eval.trainers.checkpoint.card import chain, versions
from kate_eval.trainers.curves import curves_of, draw
from kate_eval.trainers.machine import peak_memory
from kate_eval.trainers.sft.work import Work

PANELS = {
    "loss": ("loss", "eval_loss"),
    "exact match, held out": ("eval_exact_call", "eval_exact_reply"),
    "learning rate": ("learning_rate",),
}


def save_result(work: Work) -> CheckpointCard:
    """Evaluate, and save the checkpoint; called by all processes, of which the first writes.

    Raises:
        TrainingError: the disk is full; the last whole state and an older checkpoint are untouched.
    """
    evaluation = _evaluation(work)
    curves = curves_of(work.trainer.state.log_history)
    final = work.run.folder / "final"
    with work.saving():
        # Gathered by all processes, where the weights are shared out among them.
        work.trainer.save_model(str(final))
    card = _card(work, evaluation, curves)
    if work.trainer.is_world_process_zero():
        output = work.parameters.output
        card = save_checkpoint(output, card, lambda folder: _write(work, folder, final, curves))
        shutil.rmtree(final)
        work.run.finish(card.weights_hash)
    return card


def _evaluation(work: Work) -> dict[str, Any]:
    """Of the last step: at hand, if it was evaluated."""
    if not work.held_out.kept:
        return {}
    history, last = work.trainer.state.log_history, work.trainer.state.global_step
    if not any(entry["step"] == last and "eval_loss" in entry for entry in history):
        work.trainer.evaluate()
    found = {k: v for e in history if e["step"] == last for k, v in e.items() if k.startswith("eval_")}
    names = ("loss", "exact_call", "exact_call_n", "exact_reply", "exact_reply_n")
    return {name: found[f"eval_{name}"] for name in names if f"eval_{name}" in found} | {
        "rows": len(work.held_out.kept),
        "left_out": len(work.held_out.left_out),
    }


def _write(work: Work, folder: Path, final: Path, curves: Curves) -> None:
    """The checkpoint's files; the weights are there already, unless an adapter is to be merged."""
    if work.parameters.merge:
        merged = work.trainer.accelerator.unwrap_model(work.trainer.model).merge_and_unload()
        merged.save_pretrained(folder)
        work.renderer.tokenizer.save_pretrained(folder)
    else:
        for file in final.iterdir():
            if file.name not in ("README.md", "training_args.bin"):
                file.replace(folder / file.name)
    draw(curves, folder / "curves.png", PANELS)


def _adapts(work: Work) -> str:
    if not work.parameters.lora or work.parameters.merge:
        return ""
    [found] = {config.base_model_name_or_path for config in work.trainer.model.peft_config.values()}
    return str(found)


def _card(work: Work, evaluation: dict[str, Any], curves: Curves) -> CheckpointCard:
    p = work.parameters
    root, stages = chain(p.base)
    return CheckpointCard(
        trainer="sft",
        kind=p.kind,
        base=p.base,
        adapts=_adapts(work),
        root=root,
        stages=stages,
        rows_hash=work.rows.hash,
        rows={**work.rows.card.model_dump(mode="json"), "used": work.learnt.described()},
        config=p.model_dump(mode="json"),
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
        },
        steps=work.trainer.state.global_step,
        curves=curves,
        evaluation=evaluation,
    )
