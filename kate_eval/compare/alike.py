"""Whether two runs can be compared: what forbids it, and what a reader must know."""

from collections.abc import Iterator
from pathlib import Path

from kate_eval.bfcl import data
from kate_eval.bfcl.categories import CATEGORIES
from kate_eval.compare.side import Side
from kate_eval.errors import ConfigurationError
from kate_eval.report.runs import Run


def require_alike(first: Side, second: Side) -> None:
    """Refuse runs whose samples are not the same questions.

    Raises:
        ConfigurationError: they are of other benchmarks, other data, or share no sample; or one log twice.
    """
    a, b = first.run, second.run
    if {s.file for s in a.sources} & {s.file for s in b.sources}:
        raise ConfigurationError(f"Both are the log {Path(a.sources[0].file).name}: name two different ones")
    if a.benchmark is not b.benchmark or (
        a.board != b.board and a.metadata.get("world") != b.metadata.get("world")
    ):
        raise ConfigurationError(f"Runs of different benchmarks can't be paired: {a.board}, {b.board}")
    stale = other_data(a, b)
    if stale:
        raise ConfigurationError(
            f"The two runs played other data under the same names ({stale}): their samples can't be paired. "
            "Run one of them again with the other's engine"
        )
    if not {s.entry for s in first.attempts} & {s.entry for s in second.attempts}:
        splits = f"{a.metadata.get('split')}, {b.metadata.get('split')}"
        raise ConfigurationError(f"The two runs have no sample in common (splits: {splits})")


def other_data(first: Run, second: Run) -> str:
    """What of the data differs; "" for nothing."""
    mine, theirs = (run.metadata.get("category_hashes") for run in (first, second))
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return ", ".join(c for c in mine.keys() & theirs.keys() if mine[c] != theirs[c])
    same_split = first.metadata.get("split") == second.metadata.get("split")
    differ = first.metadata.get("data_hash") != second.metadata.get("data_hash")
    return "data hash" if same_split and differ else ""


def flags(first: Side, second: Side) -> list[str]:
    """What makes the two runs not like for like, or the figures less than they seem."""
    return [*_differences(first.run, second.run), *_each("A", first), *_each("B", second)]


def _differences(a: Run, b: Run) -> Iterator[str]:
    for key in dict.fromkeys(("split", *a.benchmark.like)):
        if a.metadata.get(key) != b.metadata.get(key):
            yield f"not like for like: {key} is {a.metadata.get(key)!r} in A, {b.metadata.get(key)!r} in B"
    if a.task_version != b.task_version:
        yield f"not like for like: task version {a.task_version} in A, {b.task_version} in B"
    if a.simulated != b.simulated:
        yield "not like for like: one side is a SIMULATED model, the other is not"
    elif a.simulated:
        yield "both sides are a SIMULATED model: the figures say nothing about a real one"
    if a.model != b.model:
        yield f"the models differ: {a.model} in A, {b.model} in B"
    if a.generation != b.generation:
        yield f"generation settings differ: {a.generation or 'none'} in A, {b.generation or 'none'} in B"
    if a.epochs != b.epochs:
        yield f"epochs differ: {a.epochs} in A, {b.epochs} in B"


def _each(name: str, side: Side) -> Iterator[str]:
    run = side.run
    if run.status != "success":
        yield f"{name}'s run ended with status {run.status!r}: {len(side.attempts)} of {run.expected} samples"
    failed = sum(attempt.observed is None for attempt in side.attempts)
    if failed:
        yield f"{failed} samples of {name} could not be scored; they are listed, and in no figure"
    if any(sample.counters.get("leaked") for sample in run.samples):
        yield f"LEAKED: {name}'s bank holds evaluated entries"
    if run.replaced:
        yield f"{name} is the newest of {len(run.replaced) + 1} logs of this run"
    stale = _stale(run)
    if stale:
        yield f"{name} played other data than is installed ({stale}): causes are told by the installed data"
    yield from (f"{name}: {note}" for note in side.notes)


def _stale(run: Run) -> str:
    hashes = run.metadata.get("category_hashes")
    told = hashes.items() if isinstance(hashes, dict) else ()
    return ", ".join(c for c, value in told if c not in CATEGORIES or data.data_hash((c,)) != value)
