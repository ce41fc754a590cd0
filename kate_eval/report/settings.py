"""The settings that tell a run from its solver's defaults: what a row names beside model and solver."""

from collections.abc import Mapping
from typing import Any

_DEFAULTS: dict[str, object] = {
    "allow_leakage": False,
    "aggregate": "critic",
    "confidence": 0.95,
    "depth": "none",
    "inject": "turn",
    "k": 3,
    "knowledge": "trajectory",
    "layout": "multi-turn",
    "match": "embedder",
    "one_call": True,
    "recover": True,
    "sampling": "choices",
    "select": "top",
    "show_reasoning": True,
    "width": 4,
}

_OF_SOLVER: dict[str, dict[str, object]] = {
    "online": {
        "embedder": "lexical",
        "feedback": "score",
        "one_call": False,
        "prune": True,
        "width": 1,
    }
}
"""Solvers whose defaults are others."""


def settings_of(
    solver: str,
    parameters: Mapping[str, Any],
    own: Mapping[str, tuple[Any, Any]],
    generation: Mapping[str, Any],
) -> dict[str, str]:
    """Name -> value of what differs from the defaults, in order of names.

    Args:
        solver: whose parameters they are.
        parameters: of the solver.
        own: of the task: name -> value and default.
        generation: settings of the model, all of which are told.
    """
    defaults = _DEFAULTS | _OF_SOLVER.get(solver, {})
    parts = {name: value for name, value in parameters.items() if defaults.get(name) != value}
    parts |= {name: value for name, (value, default) in own.items() if value != default}
    parts |= {name: value for name, value in generation.items() if value is not None}
    return {name: str(value) for name, value in sorted(parts.items())}
