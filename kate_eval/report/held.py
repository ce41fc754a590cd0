"""What the bank of a run held, by its hash: a path says neither that two banks are one nor that they differ.

A grid's logs have it in their headers. Other logs have it in their samples, which are then read for it. A run
that has scored nothing (its server was down) stands with a later one of the same path, which says it.
"""

from collections.abc import Sequence
from dataclasses import replace

from kate_eval.report.log import with_samples
from kate_eval.report.runs import GROWS, Run


def with_held(run: Run) -> Run:
    """The run with the hash of its bank, as far as its log has it."""
    if not run.bank or run.solver == GROWS:
        return run
    if told := run.depends.get("bank"):
        return replace(run, held=str(told))
    hashes = {value for found in with_samples(run).banks.values() for value in found}
    return replace(run, held="+".join(sorted(hashes)))


def settled(runs: Sequence[Run]) -> list[Run]:
    """The runs; one without a scored sample has the bank of the newest that is like it in all else."""
    known = {replace(run, held="").how: run.held for run in runs if run.held}
    return [
        replace(run, held=known[run.how])
        if run.bank and not run.held and run.how in known and not _scored(run)
        else run
        for run in runs
    ]


def _scored(run: Run) -> bool:
    return any(sample.observed is not None for sample in with_samples(run).samples)
