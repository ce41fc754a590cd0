"""What each solver needs of an endpoint: read by `kate probe` and before a run's first sample."""

from collections.abc import Mapping
from typing import Any

from kate_eval.endpoints.probe.needs import PRESENT, Need

CALLS = (
    Need("tools", "every request in function-calling mode fails", must=True, tools=True),
    Need(
        "tool calls", "its calls are read from the text (-S recover=true), as far as they can be", tools=True
    ),
)
CONTEXT = (Need("context", "long conversations lose what the model was shown first"),)
CHOICES = (
    Need("choices", "each candidate costs a request and its prompt"),
    Need("distinct", "all candidates are the same: width brings nothing", must=True),
    Need("prompt counted", "tokens in the log count the prompt for each candidate"),
)
CRITIC = (
    Need("reasoning", "critics see the reasoning in the text of a reply only (-S show_reasoning)"),
    Need("reasoning, n", "critics see the reasoning of some candidates only"),
)
USAGE = (Need("usage", "the log has no tokens"),)
WIDE = {"width": 4, "kate": 4}
"""Solvers that are wide by default."""
SOLVERS = ("baseline", "depth", "kate", "knowledge", "memp", "nearest", "online", "width")


def needs_of(name: str, parameters: Mapping[str, Any] | None = None) -> tuple[Need, ...] | None:
    """The needs of a solver by the name that a user types; None for one that isn't ours.

    Args:
        name: with or without the package.
        parameters: as they were passed; by default the solver's own.
    """
    name = name.removeprefix("kate_eval/")
    if name not in SOLVERS:
        return None
    if name == "nearest":
        return ()
    given = parameters or {}
    needs = PRESENT + CALLS + USAGE
    width = given.get("width", WIDE.get(name, 1))
    if str(width) == "1":
        return needs + CONTEXT
    sampled = CHOICES if given.get("sampling", "choices") == "choices" else ()
    critic = "critic" in str(given.get("aggregate", "critic")) and given.get("show_reasoning", True)
    return needs + CONTEXT + sampled + (CRITIC if critic else ())


def all_needs() -> dict[str, tuple[Need, ...]]:
    """The needs of every solver with its own defaults."""
    return {name: needs_of(name) or () for name in SOLVERS}
