"""What a user says about a grid's run."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Of `kate grid`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[str, ...] = ()
    """Each cell without a variant is played by each."""
    variants: tuple[tuple[str, str], ...] = ()
    """(name, model): who plays the cells of that variant."""
    base_url: str | None = None
    """Where all models are served."""
    model_args: tuple[str, ...] = ()
    """NAME=VALUE, of every model."""
    model_facts: dict[str, dict[str, str]] = {}
    """Model -> what its name doesn't say about it, such as its weights' hash: a row is played again when it
    has changed, and it stands in the log."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Of each answer; None: the task's own."""
    log_dir: Path
    world: Literal["real", "mini"] = "real"
    """Of AppWorld's cells."""
    limit: int | None = Field(default=None, ge=1)
    """Samples of each category (AppWorld: difficulty), the first in the dataset's order; None: all."""
    epochs: int = Field(default=1, ge=1)
    writer: str | None = None
    """The model that writes knowledge; None: the first of `models`."""
    bank: Path | None = None
    """A bank that is there already; None: one is built where a cell needs it."""
    embedder: str = "lexical"
    """Of the bank that is built."""
    max_samples: int = Field(default=32, ge=1)
    """Of each cell, at once."""
    max_connections: int | None = Field(default=None, ge=1)
    """Requests at once to each model; None: Inspect finds out."""
    max_tasks: int = Field(default=2, ge=1)
    """Cells at once: while one plays its last samples, the next begins."""
    retries: int = Field(default=2, ge=0)
    """Times that a cell is tried again, beside the two tries more that each sample has."""
