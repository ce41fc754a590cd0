"""What an SFT run is made of."""

from typing import ClassVar, Literal

from pydantic import Field

from kate_eval.trainers.run_parameters import RunParameters


class SftParameters(RunParameters):
    """Parameters of `kate train sft`; the defaults follow the paper (LoRA, 3e-5, three epochs)."""

    NOT_IDENTITY: ClassVar[frozenset[str]] = RunParameters.NOT_IDENTITY | {"exact_tokens"}

    learning_rate: float = Field(default=3e-5, gt=0, description="Peak of the schedule.")
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = Field(
        default="cosine", description="Learning rate after the warm-up."
    )
    epochs: float = Field(default=3.0, gt=0, description="Times that each row is learnt.")
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
    eval_steps: int | None = Field(
        default=None,
        gt=0,
        description="Steps between evaluations on held-out rows. By default a fifth of them.",
    )
    exact_rows: int = Field(
        default=32,
        ge=0,
        description="Held-out rows answered greedily at each evaluation, for the exact match.",
    )
    exact_tokens: int = Field(default=512, gt=0, description="Tokens of such an answer at most.")
    seed: int = Field(default=0, ge=0, description="Of the order of rows, the adapter and dropout.")
