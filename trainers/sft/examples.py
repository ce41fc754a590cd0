"""Rows as token ids with labels: the loss is on the answer alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kate_eval.errors import TrainingError
from kate_eval.trainers.rendering import Rendered, Renderer
from kate_eval.trainers.row import Row

IGNORED = -100
"""The label of a token without loss, as torch's cross-entropy has it."""
_SHOWN = 5


@dataclass(frozen=True)
class Example:
    """A row with its ids."""

    row: Row
    rendered: Rendered

    @property
    def input_ids(self) -> list[int]:
        """Prompt and answer."""
        return [*self.rendered.prompt, *self.rendered.completion]

    @property
    def labels(self) -> list[int]:
        """The answer's ids; what comes before has no loss."""
        return [*[IGNORED] * len(self.rendered.prompt), *self.rendered.completion]

    def __len__(self) -> int:
        return len(self.rendered.prompt) + len(self.rendered.completion)


@dataclass(frozen=True)
class Examples:
    """What there is to learn.

    Attributes:
        kept: those that fit.
        left_out: ids of rows that are too long.
        max_length: tokens of a row at most.
        longest: tokens of the longest row, left out or not.
    """

    kept: list[Example]
    left_out: list[str]
    max_length: int
    longest: int

    def __str__(self) -> str:
        text = f"{len(self.kept)} rows of at most {max(map(len, self.kept), default=0)} tokens"
        if not self.left_out:
            return text
        shown = ", ".join(self.left_out[:_SHOWN]) + (", ..." if len(self.left_out) > _SHOWN else "")
        return (
            f"{text}; {len(self.left_out)} left out, longer than {self.max_length} (up to {self.longest}): "
            f"{shown}"
        )

    def described(self) -> dict[str, Any]:
        """For the card."""
        return {
            "rows": len(self.kept),
            "left_out": len(self.left_out),
            "left_out_rows": self.left_out[:100],
            "max_length": self.max_length,
            "longest_row": self.longest,
            "tokens": sum(map(len, self.kept)),
            "answer_tokens": sum(len(example.rendered.completion) for example in self.kept),
        }


def render_rows(rows: Sequence[Row], renderer: Renderer) -> list[Example]:
    """Rows with their ids.

    Raises:
        TrainingError: the template can't render one; it names the row.
    """
    return [Example(row, renderer.row(row)) for row in rows]


def length_of(examples: Sequence[Example], percentile: float, context: int | None, chosen: int | None) -> int:
    """How many tokens a row may have.

    Args:
        examples: to learn from.
        percentile: share of them that shall fit, in percent.
        context: what the model takes at most.
        chosen: by the user, instead of the examples' own.

    Raises:
        TrainingError: the model doesn't take so many.
    """
    if chosen is not None and context is not None and chosen > context:
        raise TrainingError(
            f"--max-length {chosen} is more than the model's context of {context} tokens. Choose at most that"
        )
    lengths = sorted(map(len, examples))
    wanted = chosen or lengths[max(0, math.ceil(len(lengths) * percentile / 100) - 1)]
    return wanted if context is None else min(wanted, context)


def fitting(examples: Sequence[Example], max_length: int) -> Examples:
    """The examples that fit.

    A row that is too long is left out: without its beginning or its end it would teach something else.

    Raises:
        TrainingError: none fits.
    """
    kept = [example for example in examples if len(example) <= max_length]
    longest = max(map(len, examples), default=0)
    if examples and not kept:
        raise TrainingError(
            f"All {len(examples)} rows are longer than {max_length} tokens (the longest has {longest}). "
            "Raise --max-length, or take a base model of a longer context"
        )
    left_out = [example.row.id for example in examples if len(example) > max_length]
    return Examples(kept, left_out, max_length, longest)
