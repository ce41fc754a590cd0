"""A checkpoint's card: base, rows, configuration, versions, curves, scores."""

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kate_eval import __version__
from kate_eval.errors import TrainingError

CARD = "card.json"
SCHEMA: Literal[1] = 1
"""Version of the card. A reader refuses any other."""
VERSIONED = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "tokenizers",
    "vllm",
    "inspect-ai",
)
"""Packages that a training run depends on, where they are installed."""
Curves = dict[str, list[tuple[int, float]]]
"""Name of a quantity (loss, eval_loss, reward, ...) -> its values by optimizer step."""


class Score(BaseModel):
    """What an evaluation of the checkpoint gave; `kate rescore` fills it in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    """With its parameters, as the log has it."""
    solver: str
    metric: str
    value: float
    stderr: float | None = None
    samples: int
    date: str
    log: str
    """The log's file name."""


class CheckpointCard(BaseModel):
    """How a checkpoint came to be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = SCHEMA
    trainer: str
    """sft, grpo."""
    kind: Literal["full", "adapter"]
    """All weights, or a LoRA adapter of `base`."""
    base: str
    """What was trained on: a hub name or a folder, as it was given."""
    adapts: str = ""
    """Of an adapter: the model whose weights it changes, which is served with it."""
    root: str
    """The first base of the chain (SFT, then RL): the model to compare with."""
    stages: tuple[str, ...] = ()
    """What came before it on the root: trainer and rows' hash of each."""
    rows_hash: str
    rows: dict[str, Any] = Field(default_factory=dict)
    """The rows' card: benchmark, split, bank and its hash, teacher, counts."""
    leaked: tuple[str, ...] = ()
    """Benchmarks of whose test half rows of it, or of a stage before it, were made."""
    config: dict[str, Any] = Field(default_factory=dict)
    """The trainer's parameters, all of them."""
    renderer: dict[str, Any] = Field(default_factory=dict)
    """The chat template's hash, its arguments, and what the parity check compared."""
    versions: dict[str, str] = Field(default_factory=dict)
    hardware: dict[str, Any] = Field(default_factory=dict)
    """Device, processes, seconds, peak memory in MiB."""
    steps: int = Field(ge=0)
    """Optimizer steps."""
    curves: Curves = Field(default_factory=dict)
    evaluation: dict[str, Any] = Field(default_factory=dict)
    """On the held-out rows, at the end."""
    weights_hash: str = ""
    """SHA-256 over the weight files, by name and content; filled in when saved."""
    scores: tuple[Score, ...] = ()


def load_card(folder: Path) -> CheckpointCard:
    """A checkpoint's card.

    Raises:
        TrainingError: there is none, or it can't be read.
    """
    file = folder / CARD
    try:
        return CheckpointCard.model_validate_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError as ex:
        raise TrainingError(
            f"{folder} is no checkpoint of ours: it has no {CARD}. Train one: kate train sft --help"
        ) from ex
    except (ValidationError, ValueError) as ex:
        raise TrainingError(f"{file} can't be read: {ex}") from ex


def chain(base: str, fallback: str | None = None) -> tuple[str, tuple[str, ...]]:
    """The root and the stages of what is trained on a base: its own card's, if it is a checkpoint of ours.

    Args:
        base: a hub name or a folder.
        fallback: the root of a base without a card; by default the base itself.
    """
    if not (Path(base) / CARD).is_file():
        return fallback or base, ()
    card = load_card(Path(base))
    return card.root, (*card.stages, f"{card.trainer}:{card.rows_hash}")


def versions() -> dict[str, str]:
    """The versions that a training run depends on."""
    found = {"kate-eval": __version__}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def card_text(card: CheckpointCard) -> str:
    """The card as it is written: indented but for the curves, a quantity a line."""
    data = card.model_dump(mode="json")
    lines = [f"    {json.dumps(name)}: {json.dumps(values)}" for name, values in data.pop("curves").items()]
    curves = "{\n" + ",\n".join(lines) + "\n  }" if lines else "{}"
    return json.dumps(data, indent=2, ensure_ascii=False)[:-2] + f',\n  "curves": {curves}\n}}\n'
