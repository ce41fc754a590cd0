"""The comparison as JSON data: every pair, nothing shortened but what steps and causes say."""

import math
from dataclasses import asdict
from typing import Any

from kate_eval.compare.comparison import Comparison, Pair
from kate_eval.compare.side import Attempt, Side
from kate_eval.stats import Estimate

SCHEMA = 1
"""Raised when a key changes its meaning."""


def as_data(found: Comparison) -> dict[str, Any]:
    """The comparison; turns, steps and epochs as in the logs: from 0, from 0, from 1."""
    return {
        "schema": SCHEMA,
        "a": _side(found.first),
        "b": _side(found.second),
        "flags": list(found.flags),
        "fixed": len(found.fixed),
        "broken": len(found.broken),
        "mcnemar_p": found.p_value,
        "headline": found.headline,
        "difference": _estimate(found.difference),
        "causes": {
            kind: dict(zip(("failed_a", "fixed", "failed_b", "broken"), counts, strict=True))
            for kind, counts in found.causes().items()
        },
        "pairs": [_pair(pair) for pair in found.pairs],
        "unpaired": [{"run": "ab"[side]} | _attempt(attempt) for side, attempt in found.unpaired],
    }


def _side(side: Side) -> dict[str, Any]:
    run = side.run
    return {
        "logs": [source.file for source in run.sources],
        "created": run.created,
        "status": run.status,
        "board": run.board,
        "label": run.label,
        "model": run.model,
        "solver": run.solver,
        "simulated": run.simulated,
        "epochs": run.epochs,
        "expected": run.expected,
        "scored": sum(attempt.observed is not None for attempt in side.attempts),
    }


def _estimate(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    p, spread = estimate.p_value(), bool(estimate.stderr)
    low, high = estimate.interval() if spread else (None, None)
    told = {"mean": estimate.mean, "stderr": estimate.stderr, "low": low, "high": high}
    return told | {"p": None if math.isnan(p) else p, "n": estimate.n, "clusters": estimate.clusters}


def _pair(pair: Pair) -> dict[str, Any]:
    parting = pair.parting
    return {
        "entry": pair.entry,
        "category": pair.category,
        "a": _attempt(pair.attempts[0]) | {"mean": pair.first},
        "b": _attempt(pair.attempts[1]) | {"mean": pair.second},
        "parting": asdict(parting) if parting else None,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "entry": attempt.entry,
        "epoch": attempt.epoch,
        "value": attempt.observed.value if attempt.observed else None,
        "cause": asdict(attempt.cause) if attempt.cause else None,
        "log": attempt.log,
    }
