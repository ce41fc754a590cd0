"""Accuracy against tokens of fixed and adaptive width, on the simulated endpoint (no model is behind it).

Plays BFCL's multi-turn test entries with each width and aggregator, and writes the table (adaptive_width.md)
and, where matplotlib is installed, the curve (adaptive_width.png). Draws are common to all widths: the
first four candidates of a step are the same at every width, so differences between rows are paired. The
endpoint tells of a prefix cache, as vLLM's; "priced" counts cached input a tenth and output four times.

    python benchmarks/adaptive_width.py                   # 200 entries, one seed: about 10 minutes on 2 cores
    python benchmarks/adaptive_width.py --entries 5 --seeds 1 -o /tmp/curve
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from inspect_ai import eval as run
from inspect_ai.log import EvalLog, EvalSample

from kate_eval.bfcl.categories import MULTI_TURN
from kate_eval.bfcl.data import load
from kate_eval.counters import Counters
from kate_eval.solvers.kate import width
from kate_eval.tasks.bfcl import bfcl

WIDTHS: tuple[int | str, ...] = (1, 4, 8, 16, "adaptive:4..8", "adaptive:4..16")
AGGREGATES = ("majority", "critic")
TITLE = "Simulated endpoint: no model is behind these numbers"


@dataclass(frozen=True)
class Point:
    """One row of the table: what a width and aggregator reached, and means per sample."""

    width: str
    aggregate: str
    accuracy: float
    candidates: float
    requests: float
    cached: float
    input: float
    output: float

    @property
    def price(self) -> float:
        """Tokens at a usual ratio of prices, in input tokens: cached ones a tenth, output four times."""
        return self.input - 0.9 * self.cached + 4 * self.output

    @property
    def cells(self) -> list[str]:
        """The row's cells."""
        numbers = [self.requests, *(n / 1000 for n in (self.input, self.cached, self.output, self.price))]
        accuracy = f"{100 * self.accuracy:.1f}"
        return [
            self.aggregate,
            self.width,
            accuracy,
            f"{self.candidates:.2f}",
            *(f"{n:.1f}" for n in numbers),
        ]


HEADER = [
    *("aggregate", "width", "% correct", "candidates a step", "requests"),
    *("input (k)", "of it cached", "output (k)", "priced (k)"),
]


def played(samples: Sequence[str], seed: int, value: int | str, aggregate: str, logs: Path) -> EvalLog:
    """Play the entries once."""
    name = aggregate if value != 1 else "first"
    [log] = run(
        bfcl(categories="multi_turn"),
        solver=width(width=value, aggregate=name),
        model="simulated/default",
        model_args={"seed": seed, "prefix_cache": True},
        sample_id=list(samples),
        log_dir=str(logs),
        display="none",
        log_realtime=False,
        max_samples=32,
        max_connections=100,
    )
    return log


def point(logs: Sequence[EvalLog], value: int | str, aggregate: str) -> Point:
    """The row over all seeds."""
    samples = [sample for log in logs for sample in log.samples or ()]
    counted = [_counters(sample) for sample in samples]
    correct = [(sample.scores or {})["bfcl_verdict"].value == "C" for sample in samples]
    return Point(
        width=str(value),
        aggregate=aggregate,
        accuracy=fmean(correct),
        candidates=sum(c.candidates for c in counted) / sum(c.steps for c in counted),
        requests=fmean(c.requests for c in counted),
        cached=fmean(c.tokens_of("cached") for c in counted),
        input=fmean(c.tokens_of("input") for c in counted),
        output=fmean(c.tokens_of("output") for c in counted),
    )


def _counters(sample: EvalSample) -> Counters:
    metadata = dict((sample.scores or {})["run_counters"].metadata or {})
    metadata.pop("provenance")
    return Counters(**metadata)


def table(points: Sequence[Point]) -> str:
    """The points as Markdown."""
    lines = [HEADER, ["---"] * len(HEADER), *(p.cells for p in points)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def draw(points: Sequence[Point], file: Path) -> None:
    """The curve as a picture, if matplotlib is installed."""
    try:
        from matplotlib import pyplot  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        print("No picture: matplotlib is not installed")
        return
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True)
    for axis, unit in zip(axes, ("output", "price"), strict=True):
        for aggregate, colour in zip(AGGREGATES, ("tab:blue", "tab:orange"), strict=True):
            for fixed, style in ((True, "o-"), (False, "*--")):
                chosen = [
                    p for p in points if p.aggregate == aggregate and p.width.startswith("a") is not fixed
                ]
                xs, ys = [getattr(p, unit) / 1000 for p in chosen], [100 * p.accuracy for p in chosen]
                label = f"{aggregate}, {'fixed' if fixed else 'adaptive'}"
                axis.plot(xs, ys, style, color=colour, label=label, markersize=8 if fixed else 12)
                for p, x, y in zip(chosen, xs, ys, strict=True):
                    axis.annotate(p.width.removeprefix("adaptive:"), (x, y), fontsize=8)
        axis.set_xlabel(f"k tokens a sample ({unit if unit == 'output' else 'priced'})")
    axes[0].set_ylabel("% correct")
    axes[0].legend()
    figure.suptitle(TITLE)
    figure.savefig(file, dpi=120, bbox_inches="tight")
    print(f"Written: {file}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--entries", type=int, default=50, help="test entries of each multi-turn category")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=Path(".bench/adaptive_width"))
    args = parser.parse_args()
    chosen = [entry.id for category in MULTI_TURN for entry in list(load([category], "test"))[: args.entries]]
    points = []
    for aggregate in AGGREGATES:
        for value in WIDTHS:
            logs = [
                played(chosen, seed, value, aggregate, args.output / "logs") for seed in range(args.seeds)
            ]
            points.append(point(logs, value, aggregate))
            print(*points[-1].cells, sep="\t", flush=True)
    text = f"{TITLE}; {len(chosen)} entries, {args.seeds} seeds\n\n{table(points)}\n"
    (args.output / "adaptive_width.md").write_text(text, encoding="utf-8")
    print(text)
    draw(points, args.output / "adaptive_width.png")


if __name__ == "__main__":
    main()
