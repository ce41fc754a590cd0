"""Rows of the document: a run's result, or a part of it, with its flags, logs and paired difference."""

import math
from collections.abc import Mapping, Sequence

from kate_eval.report.causes import Causes
from kate_eval.report.columns import Field, errors_by_kind, estimate
from kate_eval.report.document import Cell, Counts, Kind, Log, Paired, Row
from kate_eval.report.leaderboard import Result
from kate_eval.report.part import Part
from kate_eval.report.runs import FLOOR, Run
from kate_eval.stats import Estimate, holm


def kind_of(run: Run) -> Kind:
    """What a run's numbers are."""
    if run.simulated:
        return "simulated"
    return "floor" if run.solver == FLOOR else "measured"


def row_of(result: Result, fields: Sequence[Field], causes: Mapping[str, Causes]) -> Row:
    """A run's row of a leaderboard."""
    run = result.run
    errors = errors_by_kind(result, causes.get(run.id))
    scored = sum(sample.observed is not None for sample in run.samples)
    return _row(run).model_copy(
        update={
            "flags": result.flags,
            "cells": {field.column.key: field.value(result) for field in fields},
            "paired": paired(result.difference, result.baseline),
            "logs": logs_of(run),
            "counts": Counts(expected=max(run.expected, len(run.samples)), scored=scored, errors=errors),
        }
    )


def part_row(result: Result, name: str, found: Part, more: Mapping[str, Cell | None]) -> Row:
    """The row of a part of a run, with what it scored and its baseline on the same entries."""
    own = _row(result.run)
    cells = {"score": estimate(found.score), "baseline": estimate(found.baseline)}
    return own.model_copy(
        update={
            "id": f"{own.id}/{name}",
            "part": name,
            "flags": tuple(flag for flag in result.flags if flag.code == "simulated"),
            "cells": cells | dict(more),
            "paired": paired(found.difference, result.baseline),
        }
    )


def _row(run: Run) -> Row:
    return Row(
        id=run.id,
        model=run.players,
        solver=run.solver,
        label=run.label,
        name=run.name,
        settings=run.settings,
        kind=kind_of(run),
    )


def logs_of(run: Run) -> tuple[Log, ...]:
    """A run's logs, by the folder that was asked for."""
    return tuple(Log(name=s.name, folder=s.folder, path=s.path, created=s.created) for s in run.sources)


def paired(difference: Estimate | None, baseline: Run | None) -> Paired | None:
    """The paired difference, still without a correction for the table's other comparisons."""
    if difference is None or baseline is None:
        return None
    low, high = difference.interval() if difference.stderr else (None, None)
    return Paired(
        baseline=baseline.id,
        difference=difference.mean,
        low=low,
        high=high,
        p=_known(_p(difference)),
        p_holm=None,
        detectable=_known(difference.detectable()),
        n=difference.n,
    )


def _p(difference: Estimate) -> float:
    """Two runs that are equal on every one of several entries don't differ; nan where nothing can be said."""
    if not difference.stderr and not difference.mean and difference.clusters > 1:
        return 1.0
    return difference.p_value()


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def corrected(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows with p-values corrected for all comparisons among them.

    A comparison without a p-value counts among them, as one that shows nothing.
    """
    compared = [row for row in rows if row.paired is not None]
    values = holm([1.0 if row.paired is None or row.paired.p is None else row.paired.p for row in compared])
    found = {
        row.id: row.paired.model_copy(update={"p_holm": value})
        for row, value in zip(compared, values, strict=True)
        if row.paired is not None and row.paired.p is not None
    }
    return tuple(row.model_copy(update={"paired": found.get(row.id, row.paired)}) for row in rows)
