"""A run's quantities by step: from the trainer's own log to the card and a PNG."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kate_eval.trainers.checkpoint.card import Curves

_NOT_CURVES = ("step", "epoch", "total_flos")
_TIMES = ("runtime", "per_second")


def curves_of(history: Iterable[Mapping[str, Any]]) -> Curves:
    """The numbers of a transformers trainer's log history, by name."""
    found: Curves = {}
    for entry in history:
        for name, value in entry.items():
            # The last entry sums up the run: its names begin with train_.
            if name in _NOT_CURVES or name.startswith("train_") or any(part in name for part in _TIMES):
                continue
            if isinstance(value, int | float) and math.isfinite(value):
                found.setdefault(name, []).append((int(entry["step"]), float(value)))
    return found


def draw(curves: Curves, file: Path, panels: Mapping[str, tuple[str, ...]]) -> None:
    """Draw curves as PNG.

    Args:
        curves: by name.
        file: to write.
        panels: title -> the curves it shows; one without any is left out.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = {title: [n for n in names if curves.get(n)] for title, names in panels.items()}
    shown = {title: names for title, names in shown.items() if names}
    figure = Figure(figsize=(5 * max(1, len(shown)), 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (title, names) in enumerate(shown.items(), start=1):
        axes = figure.add_subplot(1, len(shown), place)
        for name in names:
            steps, values = zip(*curves[name], strict=True)
            axes.plot(steps, values, label=name, marker="." if len(steps) < 30 else None)
        axes.set(title=title, xlabel="optimizer step")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(file, dpi=120)
