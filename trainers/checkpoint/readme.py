"""A checkpoint's README.md: a model card as the hub reads it, made from card.json."""

import json
from collections.abc import Iterator

from kate_eval.trainers.checkpoint.card import CheckpointCard
from kate_eval.trainers.checkpoint.leak import warning


def readme(card: CheckpointCard, name: str) -> str:
    """The model card of a checkpoint with this name."""
    return "\n".join([*_front_matter(card), *_body(card, name)]) + "\n"


def _front_matter(card: CheckpointCard) -> Iterator[str]:
    adapter = card.kind == "adapter"
    yield "---"
    yield f"base_model: {json.dumps(card.adapts or card.base)}"
    yield f"library_name: {'peft' if adapter else 'transformers'}"
    yield f"tags: [kate-eval, {card.trainer}{', lora' if adapter else ''}]"
    yield "---"


def _body(card: CheckpointCard, name: str) -> Iterator[str]:
    what = "A LoRA adapter" if card.kind == "adapter" else "All weights"
    yield f"# {name}"
    yield ""
    if card.leaked:
        yield f"**{warning(card.leaked)}.**"
        yield ""
    yield f"{what}, trained with kate-eval ({card.trainer}, {card.steps} steps) on {card.base}."
    if card.root != card.base:
        yield f"The chain began with {card.root}: {', '.join(card.stages)}."
    yield "All about it is in card.json: rows, parameters, versions, curves (curves.png), scores."
    yield ""
    yield from _serving(card, name)
    yield ""
    yield "| | |"
    yield "|---|---|"
    for label, value in _facts(card):
        yield f"| {label} | {value} |"
    if card.scores:
        yield ""
        yield "| task | solver | metric | score | samples | date |"
        yield "|---|---|---|---|---|---|"
        for s in card.scores:
            error = "" if s.stderr is None else f" ± {s.stderr:.3f}"
            yield f"| {s.task} | {s.solver} | {s.metric} | {s.value:.3f}{error} | {s.samples} | {s.date} |"


def _serving(card: CheckpointCard, name: str) -> Iterator[str]:
    served = (
        f"kate serve {card.adapts or card.base} --adapter {name}"
        if card.kind == "adapter"
        else f"kate serve {name}"
    )
    yield "```"
    yield served
    yield f"kate rescore {name} --tasks bfcl --solvers baseline,kate"
    yield "```"


def _facts(card: CheckpointCard) -> Iterator[tuple[str, str]]:
    yield "rows", f"{card.rows_hash} ({_listed(card.rows, ('benchmark', 'split', 'bank_hash'))})"
    yield "chat template", str(card.renderer.get("template_hash", "unknown"))
    yield "weights", card.weights_hash or "unknown"
    for quantity, values in card.curves.items():
        if "loss" in quantity and values:
            yield (
                quantity,
                f"{values[0][1]:.3f} at step {values[0][0]}, {values[-1][1]:.3f} at {values[-1][0]}",
            )
    for quantity, value in card.evaluation.items():
        yield f"held out: {quantity}", f"{value:.4g}" if isinstance(value, float) else str(value)
    yield "versions", ", ".join(f"{package} {number}" for package, number in card.versions.items())


def _listed(values: dict[str, object], keys: tuple[str, ...]) -> str:
    return ", ".join(f"{key} {values[key]}" for key in keys if values.get(key)) or "see card.json"
