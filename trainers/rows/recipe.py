"""What a user asks of rows, checked before anything is read."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kate_eval.errors import ConfigurationError
from kate_eval.trainers.rows.knowledge import Augmentation


class Recipe(BaseModel):
    """How rows are made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    benchmark: str | None = None
    """bfcl or appworld; of logs only needed where they hold several."""
    split: str | None = None
    """Of the gold; of logs, the split whose entries are taken."""
    categories: tuple[str, ...] = ()
    """BFCL's categories and groups; none: the four multi-turn ones."""
    mode: str | None = None
    """BFCL's gold: fc (the default) or prompt."""
    seed: int = 0
    """Of the split, the knowledge and the corruptions."""
    held_out: float = Field(default=0.1, ge=0, lt=1)
    """Share of the scenarios whose rows are held out."""
    aggregation: int = Field(default=0, ge=0, le=64)
    """Candidates of an aggregation row; 0: no such rows."""
    knowledge: Augmentation = Augmentation()
    """Experiences in the prompts."""
    limit: int | None = Field(default=None, ge=1)
    """Only the first so many entries."""
    allow_leakage: bool = False
    """Make rows of test entries, and mark them so."""


def make_recipe(**values: object) -> Recipe:
    """Check values as a user wrote them.

    Raises:
        ConfigurationError: one is unknown or out of range.
    """
    try:
        recipe = Recipe.model_validate(values)
    except ValidationError as ex:
        first = ex.errors()[0]
        raise ConfigurationError(
            f"{'.'.join(map(str, first['loc']))}={first['input']!r}: {first['msg']}"
        ) from ex
    if recipe.aggregation == 1:
        raise ConfigurationError(
            "--aggregation 1: a choice needs two candidates at least; 0 makes no such rows"
        )
    return recipe
