"""What the runs of all trainers are made of: base, rows, adapter, machine, template, states."""

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Precision = Literal["auto", "fp32", "bf16"]
Attention = Literal["auto", "eager", "sdpa", "flash_attention_2", "flash_attention_3"]


class RunParameters(BaseModel):
    """Parameters of every trainer; each adds its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    NOT_IDENTITY: ClassVar[frozenset[str]] = frozenset(
        {"output", "parity_url", "parity_rows", "merge", "threads", "keep"}
    )
    """Those that may be others when an interrupted run goes on."""

    rows: Path = Field(description="Folder of rows (kate train rows).")
    base: str = Field(description="Model to train: a hub name, a folder, or a checkpoint of ours.")
    output: Path = Field(description="Folder for the checkpoint; the run's own goes beside it (NAME.run).")
    lora: bool = Field(default=False, description="Train a LoRA adapter instead of all weights.")
    lora_rank: int = Field(default=16, gt=0, description="Rank of the adapter.")
    lora_alpha: int = Field(default=32, gt=0, description="Scale of the adapter, over its rank.")
    lora_dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout before the adapter.")
    merge: bool = Field(default=False, description="Save the adapter merged into its base, as full weights.")
    warmup: float = Field(default=0.03, ge=0, lt=1, description="Share of the steps that warm up.")
    weight_decay: float = Field(default=0.0, ge=0, description="Of AdamW.")
    max_grad_norm: float = Field(default=1.0, gt=0, description="Gradients are clipped to this norm.")
    max_steps: int | None = Field(
        default=None, gt=0, description="Optimizer steps at most, whatever the epochs."
    )
    precision: Precision = Field(
        default="auto", description="Of the computation; auto: bf16 on a GPU, else fp32."
    )
    weights: Precision = Field(
        default="auto", description="Of the weights; auto: fp32 if all are trained, else as the computation."
    )
    attention: Attention = Field(
        default="auto", description="Implementation of attention; auto: the model's own."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto: the GPU where there is one."
    )
    checkpointing: bool | None = Field(
        default=None, description="Recompute activations to save memory. By default on a GPU."
    )
    save_steps: int | None = Field(
        default=None, gt=0, description="Steps between states to resume from. By default as the evaluations."
    )
    keep: int = Field(
        default=2, ge=2, description="States kept: with two, one is whole while the next is written."
    )
    chat_template: str | None = Field(
        default=None, description="A template file, or one of ours (hermes), where the base has none."
    )
    template_args: dict[str, Any] = Field(
        default_factory=dict, description="Arguments of the template, as JSON; serve with the same."
    )
    eos_token: str | None = Field(
        default=None, description="Token that ends a turn, where it isn't the tokenizer's."
    )
    parity_url: str | None = Field(
        default=None,
        description="A vLLM server with the base model: prompts are compared with its before training.",
    )
    parity_rows: int = Field(default=32, gt=0, description="Rows compared so.")
    threads: int | None = Field(default=None, gt=0, description="CPU threads. By default torch's own choice.")

    @property
    def kind(self) -> Literal["full", "adapter"]:
        """Of the checkpoint."""
        return "adapter" if self.lora and not self.merge else "full"

    def identity(self) -> dict[str, Any]:
        """What must be the same for an interrupted run to go on, as JSON data."""
        return self.model_dump(mode="json", exclude=set(self.NOT_IDENTITY))
