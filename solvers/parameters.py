"""What a solver can be told (-S name=value), checked before the first sample."""

from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer, field_validator

from kate_eval.errors import ConfigurationError, unknown
from kate_eval.hashes import texts_hash
from kate_eval.solvers.adaptive import Width, read_width

PROMPTS = Path(__file__).parent / "prompts"
DEPTHS = ("state", "reflection", "intent")
LAYOUTS = ("multi-turn", "single-turn")


class Parameters(BaseModel):
    """Parameters of the loop; each solver is a set of defaults for them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    knowledge: tuple[str, ...] = ()
    """Knowledge forms to inject into each user turn; none: no retrieval."""
    bank: str | None = None
    """Folder of the bank; None: the benchmark's default bank, built in memory."""
    k: int = Field(default=3, ge=1, le=50)
    """Items injected at most, per form."""
    threshold: float | None = Field(default=None, ge=0, le=1)
    """Similarity that an item must exceed; None: the one calibrated for the bank's embedder."""
    match: str = "embedder"
    """How similarity is measured: a name in `retrieve.MATCHES`."""
    select: str = "top"
    """Which qualifying items are taken: a name in `select.SELECTORS`."""
    budget: int | None = Field(default=None, ge=1)
    """Tokens (of 4 characters) for all experiences of a turn; the least similar are dropped first."""
    inject: Literal["turn", "sample"] = "turn"
    """Knowledge at every user turn, or only at the first that asks something."""
    allow_leakage: bool = False
    """Evaluate entries that the bank was built from, and mark the log so."""
    width: Width = Width(1, 1)
    """Candidates sampled per step: a number, or adaptive:LOW..HIGH (adaptive.py)."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """With adaptive width: in the leading candidate, at which sampling stops."""
    sampling: str = "choices"
    """`width` samples of one prompt ("choices"), or one of each depth prompt and the plain one
    ("perspectives"): a name in `sample.SAMPLERS`."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Of the candidates; None: the model's own (--temperature), else 1 for several choices, else 0."""
    aggregate: str = "first"
    """How candidates become one action, unless they all agree: a name in `aggregate.AGGREGATORS`."""
    layout: Literal["multi-turn", "single-turn"] = "multi-turn"
    """How a critic sees the conversation: replayed as chat, or pasted as text."""
    show_reasoning: bool = True
    """Whether critics see the candidates' reasoning."""
    shortlist: int | None = Field(default=None, ge=2)
    """Show critics only so many of the most frequent candidates."""
    depth: Literal["none", "state", "reflection", "intent"] = "none"
    """The extra message before each step."""
    one_call: bool = False
    """In multi-turn entries, only the first call of a candidate counts."""
    recover: bool = True
    """Read tool calls that the server's parser left in the text; false: the official handlers' behaviour."""

    @field_validator("knowledge", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [name.strip() for name in value.split(",") if name.strip() not in ("", "none")]
        return tuple(value or ())

    @field_validator("width", mode="before")
    @classmethod
    def _read(cls, value: Any) -> Width:
        return read_width(value)

    @field_serializer("width")
    def _write(self, width: Width) -> int | str:
        return width.written


def make_parameters(**values: Any) -> Parameters:
    """Check parameters as a user wrote them.

    Raises:
        ConfigurationError: an unknown name or form, or a value that is out of range.
    """
    for name, choices in _choices().items():
        if name in values and values[name] not in choices:
            raise unknown(name, values[name], choices, f"For instance: -S {name}={choices[-1]}")
    try:
        parameters = Parameters(**values)
    except ValidationError as ex:
        first = ex.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise ConfigurationError(f"Solver parameter {name}={first['input']!r}: {first['msg']}") from ex
    if parameters.sampling == "choices" and parameters.width.most > 1 and parameters.temperature == 0:
        raise ConfigurationError(
            "width > 1 with temperature 0 samples the same candidate: use temperature > 0"
        )
    if parameters.width.adaptive and (parameters.sampling != "choices" or parameters.aggregate == "first"):
        raise ConfigurationError(
            f"width={parameters.width.written} stops on a vote: it needs sampling=choices and an aggregate "
            f"that votes (majority, critic), "
            f"not sampling={parameters.sampling}, aggregate={parameters.aggregate}"
        )
    return parameters


def _choices() -> dict[str, tuple[str, ...]]:
    """The registered names of each pluggable part (imported late: the parts import this module)."""
    from kate_eval.knowledge.retrieve import MATCHES
    from kate_eval.knowledge.select import SELECTORS
    from kate_eval.solvers.aggregate import AGGREGATORS
    from kate_eval.solvers.sample import SAMPLERS

    return {
        "aggregate": tuple(AGGREGATORS),
        "depth": ("none", *DEPTHS),
        "inject": ("turn", "sample"),
        "layout": LAYOUTS,
        "match": MATCHES,
        "select": tuple(SELECTORS),
        "sampling": tuple(SAMPLERS),
    }


@cache
def prompt(name: str) -> Template:
    """A prompt template by name (solvers/prompts/NAME.txt)."""
    return Template((PROMPTS / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n"))


@cache
def prompts_hash() -> str:
    """SHA-256 over all texts that solvers and injection show a model: 16 hex digits."""
    from kate_eval.knowledge.bank import TEMPLATES

    return texts_hash(PROMPTS, TEMPLATES)
