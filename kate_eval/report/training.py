"""Training curves for the report, from the cards of checkpoints (card.json)."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kate_eval.errors import ConfigurationError
from kate_eval.report.document import Point, Series

SHOWN = ("loss", "eval_loss", "reward", "eval_reward", "eval_exact_call")
"""Curves that have a place in the report, if a card has them; the checkpoint's own curves.png has all."""
MOST = 500
"""Points of a curve that are shown, at even distances."""


def read_training(folders: Sequence[Path]) -> list[Series]:
    """The curves of checkpoints, named by their folders.

    Raises:
        ConfigurationError: a folder is no checkpoint of ours.
    """
    return [series for folder in folders for series in _curves(folder)]


def _curves(folder: Path) -> list[Series]:
    try:
        card: dict[str, Any] = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        known = {
            name: [(int(x), float(y)) for x, y in card["curves"][name]]
            for name in SHOWN
            if name in card["curves"]
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as ex:
        raise ConfigurationError(
            f"--checkpoint {folder}: no checkpoint with curves ({type(ex).__name__}: {ex}). "
            "Name the folder that kate train sft or grpo wrote"
        ) from ex
    return [_series(f"{folder.name}, {name}", points) for name, points in known.items() if points]


def _series(name: str, points: list[tuple[int, float]]) -> Series:
    kept = [(x, y) for x, y in points if math.isfinite(y)]
    stride = max(1, -(-len(kept) // MOST))
    return Series(name=name, points=tuple(Point(x=x, y=y) for x, y in kept[::stride]))
