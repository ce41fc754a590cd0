"""The comparison as tables, for terminals and for Markdown alike. Turns and answers count from 1 here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kate_eval.compare.comparison import Comparison, Pair
from kate_eval.compare.side import Attempt
from kate_eval.failures import KINDS, group_of
from kate_eval.report.flags import FEW
from kate_eval.report.formats.figures import UNKNOWN, line, p_value

PARTED = "The same calls throughout"
MAX_CELL = 300
"""Characters of a cell."""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: above it.
        note: what there is to know of it; "" for nothing.
        header: of the columns.
        lines: of cells.
        attempts: per line the attempts that it is about, for links.
    """

    title: str
    note: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    attempts: tuple[tuple[Attempt, ...], ...] = ()


def tables(found: Comparison, samples: int | None) -> Iterator[Table]:
    """All tables that have lines.

    Args:
        found: the comparison.
        samples: most lines of a list of samples; None for all.
    """
    every = [
        _runs(found),
        _counts(found),
        _causes(found),
        _flips("Fixed: wrong in A, right in B", found, found.fixed, 0, samples),
        _flips("Broken: right in A, wrong in B", found, found.broken, 1, samples),
        _unpaired(found, samples),
    ]
    return (table for table in every if table.lines)


def _runs(found: Comparison) -> Table:
    lines = []
    for name, side in (("A", found.first), ("B", found.second)):
        run = side.run
        scored = sum(attempt.observed is not None for attempt in side.attempts)
        logs = ", ".join(source.name for source in run.sources)
        epochs = str(run.epochs)
        lines.append((name, run.board, run.label, f"{scored} of {run.expected}", epochs, run.created, logs))
    header = ("Run", "Benchmark", "Model and solver", "Scored", "Epochs", "Created", "Log")
    return Table("Runs", "", header, tuple(lines))


def _counts(found: Comparison) -> Table:
    solved = [pair.solved for pair in found.pairs]
    header = ("", "Right in B", "Wrong in B")
    lines = [
        (f"{name} in A", str(solved.count((value, True))), str(solved.count((value, False))))
        for name, value in (("Right", True), ("Wrong", False))
    ]
    return Table("Entries that both runs scored", "\n".join(verdict(found)), header, tuple(lines))


def verdict(found: Comparison) -> list[str]:
    """The result in sentences."""
    clusters = found.difference.clusters if found.difference else 0
    told = [
        f"B fixed {len(found.fixed)} and broke {len(found.broken)} of {len(found.pairs)} entries. McNemar's "
        f"exact test: {p_value(found.p_value)}. It takes entries as independent."
    ]
    if clusters < len(found.pairs):
        told.append(
            f"They are not: the {len(found.pairs)} entries vary {clusters} scenarios, and entries of one "
            "scenario succeed or fail together. Trust the clustered difference rather than McNemar's test."
        )
    told.append(f"B minus A, {found.headline}, clustered by scenario: {_difference(found)}.")
    if clusters < FEW:
        told.append(f"There are fewer than {FEW} scenarios: that interval is rough.")
    if max(found.first.run.epochs, found.second.run.epochs) > 1:
        told.append(
            "With several epochs an entry counts as right, here and in McNemar's test, if more than half of "
            "its scored epochs are (a tie is wrong); the difference is of means over epochs."
        )
    return told


def _difference(found: Comparison) -> str:
    estimate = found.difference
    if estimate is None:
        return UNKNOWN
    if not estimate.stderr:
        return f"{100 * estimate.mean:+.1f} points (no spread)"
    low, high = estimate.interval()
    interval = f"[{100 * low:+.1f}, {100 * high:+.1f}]"
    return f"{100 * estimate.mean:+.1f} points {interval} {p_value(estimate.p_value())}"


def _causes(found: Comparison) -> Table:
    counts = found.causes()
    lines = [
        (kind.replace("_", " "), group_of(kind), *map(str, counts[kind]), text)
        for kind, text in KINDS.items()
        if kind in counts
    ]
    header = ("Cause", "Group", "Failed in A", "fixed by B", "Failed in B", "broken by B", "What it means")
    note = "Failures of the entries that both runs scored, by cause, and how many of them flipped."
    return Table("Causes", note, header, tuple(lines))


def _flips(title: str, found: Comparison, pairs: Sequence[Pair], side: int, samples: int | None) -> Table:
    shown = pairs[:samples]
    several = max(found.first.run.epochs, found.second.run.epochs) > 1
    lines = [
        (
            pair.entry,
            *(_cause(attempt, mean if several else None) for attempt, mean in _sides(pair)),
            *_parted(pair),
        )
        for pair in shown
    ]
    rest = (
        f" The first {len(shown)} of {len(pairs)}; --samples shows more." if len(shown) < len(pairs) else ""
    )
    note = (
        f"{len(pairs)} entries.{rest} Turn and answer at which the runs first part, and what each did there."
    )
    header = ("Entry", "A", "B", "Parted at", "A did", "B did")
    attempts = tuple(pair.attempts for pair in shown)
    return Table(title, note if pairs else "", header, tuple(lines), attempts)


def _sides(pair: Pair) -> tuple[tuple[Attempt, float], tuple[Attempt, float]]:
    return (pair.attempts[0], pair.first), (pair.attempts[1], pair.second)


def _cause(attempt: Attempt, mean: float | None) -> str:
    """A side in a cell: "right", or the cause with its place."""
    told = "" if mean is None else f" ({mean:.0%} of epochs right)"
    cause = attempt.cause
    if cause is None:
        return f"right{told}"
    where = "" if cause.turn is None else f" in turn {cause.turn + 1}"
    return f"{cause.kind.replace('_', ' ')}{where}{told}: {line(cause.detail)}"[:MAX_CELL]


def _parted(pair: Pair) -> tuple[str, str, str]:
    found = pair.parting
    if found is None:
        return PARTED, "", ""
    first, second = (line(text) or "nothing more" for text in (found.first, found.second))
    return f"turn {found.turn + 1}, answer {found.step + 1}", first, second


def _unpaired(found: Comparison, samples: int | None) -> Table:
    """Samples that stand in no figure, and why."""
    entries = [{attempt.entry for attempt in side.attempts} for side in (found.first, found.second)]
    lines = []
    for side, attempt in found.unpaired:
        if attempt.observed is None:
            why = f"not scored: {attempt.cause.detail if attempt.cause else 'no verdict'}"
        elif attempt.entry in entries[1 - side]:
            why = "the other run did not score this entry"
        else:
            why = "the other run does not have this entry"
        lines.append(("AB"[side], attempt.entry, str(attempt.epoch), line(why)[:MAX_CELL]))
    shown = lines[:samples]
    rest = f" The first {len(shown)} of {len(lines)}." if len(shown) < len(lines) else ""
    note = f"{len(lines)} samples, which are in no figure.{rest}"
    header = ("Run", "Entry", "Epoch", "Why")
    return Table(
        "Not compared",
        note,
        header,
        tuple(shown),
        tuple((attempt,) for _, attempt in found.unpaired[:samples]),
    )
