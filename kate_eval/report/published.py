"""The paper's numbers, to stand beside what was measured in tables of their own.

Source: KATE (arXiv 2606.10875), results on BFCL-V3's multi-turn test half (100 entries a category) and on
AppWorld. What the paper gives as a gain only, without the number itself, is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kate_eval.report.document import Column, Flag, Row, Table
from kate_eval.report.runs import Run

SOURCE = "arXiv 2606.10875"
_MULTI_TURN = (
    "multi_turn",
    "multi_turn_base",
    "multi_turn_miss_func",
    "multi_turn_miss_param",
    "multi_turn_long_context",
)


@dataclass(frozen=True)
class _Line:
    """Model, what was done, and percentages in the order of the table's columns."""

    model: str
    solver: str
    percent: tuple[float, ...]


_BFCL = (
    _Line("Qwen3-8B", "function calling", (32.75, 43, 30, 31, 27)),
    _Line("Qwen3-8B", "prompting", (30.25, 38, 38, 28, 17)),
    _Line("Qwen3-8B", "Memp (trajectory + summary)", (36.0, 52, 25, 36, 31)),
    _Line("Qwen3-8B", "KATE, no training", (46.0, 59, 41, 41, 40)),
    _Line("Qwen3-8B", "RL directly", (48.25,)),
    _Line("Qwen3-32B", "baseline", (46.0,)),
    _Line("Qwen3-32B", "KATE", (50.5,)),
)
_APPWORLD = (
    _Line("Qwen3-32B", "ReAct", (16.7, 1.8, 6.2, 1.4)),
    _Line("Qwen3-32B", "ReAct + trajectories", (27.4, 1.8, 8.6, 0.0)),
    _Line("Qwen3-32B", "Memp", (22.6, 5.4, 9.1, 1.4)),
    _Line("Qwen3-32B", "KATE", (32.7, 10.7, 7.4, 0.7)),
)
_FLAG = Flag(code="published", text=f"published ({SOURCE}), not measured here")
APPWORLD = "AppWorld"
"""The board of both test splits together."""
GOALS = {
    "tgc_normal": "TGC normal",
    "sgc_normal": "SGC normal",
    "tgc_challenge": "TGC challenge",
    "sgc_challenge": "SGC challenge",
}


def published_tables(runs: Sequence[Run]) -> list[Table]:
    """The published numbers for the benchmarks of some runs, as far as they are on what those played."""
    bfcl = [run for run in runs if run.metadata["benchmark"] == "bfcl"]
    found = []
    if any(o.group in _MULTI_TURN for run in bfcl for o in run.by_entry.values()):
        note = "Multi-turn, test half, 100 entries a category: about ±10 points each at 95%."
        labels = bfcl[0].benchmark.labels
        found.append(_table("bfcl", bfcl[0].board, {key: labels[key] for key in _MULTI_TURN}, _BFCL, note))
    if any(official_split(run) for run in runs):
        note = "test_normal has 168 tasks, test_challenge 417."
        found.append(_table("appworld", APPWORLD, GOALS, _APPWORLD, note))
    return found


def official_split(run: Run) -> str | None:
    """Which of AppWorld's published test splits a run is on (normal, challenge); None for other runs."""
    if run.metadata["benchmark"] != "appworld" or run.metadata.get("world") == "mini":
        return None
    first, _, split = str(run.metadata.get("split")).partition("_")
    return split if first == "test" and f"tgc_{split}" in GOALS else None


def _table(benchmark: str, board: str, labels: Mapping[str, str], lines: Sequence[_Line], note: str) -> Table:
    keys = list(labels)
    told = Column(key="", label="", unit="share", group="score", better="higher")
    columns = [
        # As published: the average of BFCL's four categories has two decimals.
        told.model_copy(update={"key": key, "label": label, "digits": 2 if key == "multi_turn" else 1})
        for key, label in labels.items()
    ]
    return Table(
        id=f"{benchmark}-published",
        title=f"{board}: published, not measured here",
        board=board,
        benchmark=benchmark,
        role="published",
        kind="published",
        note=f"Source: {SOURCE}. {note} Compare paired differences rather than these numbers.",
        headline=keys[0],
        columns=tuple(columns),
        rows=tuple(_row(f"{benchmark}-p{n}", line, keys) for n, line in enumerate(lines, 1)),
    )


def _row(name: str, line: _Line, keys: Sequence[str]) -> Row:
    values = {key: round(value / 100, 6) for key, value in zip(keys, line.percent, strict=False)}
    return Row(
        id=name,
        model=line.model,
        solver=line.solver,
        label=f"{line.model} {line.solver}",
        kind="published",
        flags=(_FLAG,),
        cells=dict(values),
    )
