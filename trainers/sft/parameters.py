"""What an SFT run is made of."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Precision = Literal["auto", "fp32", "bf16"]
Attention = Literal["auto", "eager", "sdpa", "flash_attention_2", "flash_attention_3"]


class SftParameters(BaseModel):
    """Parameters of `kate train sft`; the defaults follow the paper (LoRA, 3e-5, three epochs)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rows: Path = Field(description="Folder of rows (kate train rows).")
    base: str = Field(description="Model to train: a hub name, a folder, or a checkpoint of ours.")
    output: Path = Field(description="Folder for the checkpoint; the run's own goes beside it (NAME.run).")
    lora: bool = Field(default=False, description="Train a LoRA adapter instead of all weights.")
    lora_rank: int = Field(default=16, gt=0, description="Rank of the adapter.")
    lora_alpha: int = Field(default=32, gt=0, description="Scale of the adapter, over its rank.")
    lora_dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout before the adapter.")
    merge: bool = Field(default=False, description="Save the adapter merged into its base, as full weights.")
    learning_rate: float = Field(default=3e-5, gt=0, description="Peak of the schedule.")
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = Field(
        default="cosine", description="Learning rate after the warm-up."
    )
    warmup: float = Field(default=0.03, ge=0, lt=1, description="Share of the steps that warm up.")
    weight_decay: float = Field(default=0.0, ge=0, description="Of AdamW.")
    max_grad_norm: float = Field(default=1.0, gt=0, description="Gradients are clipped to this norm.")
    epochs: float = Field(default=3.0, gt=0, description="Times that each row is learnt.")
    max_steps: int | None = Field(
        default=None, gt=0, description="Optimizer steps at most, whatever the epochs."
    )
    batch_size: int = Field(default=1, gt=0, description="Rows (packed: sequences) a device takes at a time.")
    accumulation: int = Field(default=16, gt=0, description="Such batches per optimizer step.")
    max_length: int | None = Field(
        default=None,
        gt=0,
        description="Tokens of a row at most; longer ones are left out. By default the longest "
        "row's, up to the model's context.",
    )
    percentile: float = Field(
        default=100.0,
        gt=0,
        le=100,
        description="Without --max-length: the length that this share of rows keeps.",
    )
    packing: bool = Field(default=False, description="Put several rows in a sequence, kept apart.")
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
    eval_steps: int | None = Field(
        default=None,
        gt=0,
        description="Steps between evaluations on held-out rows. By default a fifth of them.",
    )
    save_steps: int | None = Field(
        default=None, gt=0, description="Steps between states to resume from. By default as the evaluations."
    )
    keep: int = Field(
        default=2, ge=2, description="States kept: with two, one is whole while the next is written."
    )
    exact_rows: int = Field(
        default=32,
        ge=0,
        description="Held-out rows answered greedily at each evaluation, for the exact match.",
    )
    exact_tokens: int = Field(default=512, gt=0, description="Tokens of such an answer at most.")
    seed: int = Field(default=0, ge=0, description="Of the order of rows, the adapter and dropout.")
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
        elsewhere = {"output", "parity_url", "parity_rows", "merge", "threads", "keep", "exact_tokens"}
        return self.model_dump(mode="json", exclude=elsewhere)
