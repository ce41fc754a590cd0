"""A scoring in words: tables for the terminal, what was wrong with the files, and JSON for programs."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from rich.table import Table

from kate_eval.bfcl import engine
from kate_eval.bfcl.categories import CATEGORIES
from kate_eval.bfcl.interchange.dialects import DIALECTS
from kate_eval.bfcl.interchange.figures import Figure, figures, official_totals
from kate_eval.bfcl.interchange.score import MAX_NAMED, Scoring
from kate_eval.stats import Estimate


def score_table(scoring: Scoring) -> Table:
    """Aggregates and categories with their intervals, and the official share beside them."""
    table = Table(title=f"BFCL-V3{_marked(scoring)}", title_justify="left")
    table.add_column("Score")
    for name in ("Ours % [95% interval]", "n", "Errors", "Missing", "bfcl evaluate %"):
        table.add_column(name, justify="right")
    for row in figures(scoring):
        n = str(row.ours.n) if row.ours else "0"
        table.add_row(row.name, _percent(row.ours), n, *_counts(row))
    return table


def _marked(scoring: Scoring) -> str:
    return " (SIMULATED)" if scoring.simulated else ""


def _counts(row: Figure) -> tuple[str, str, str]:
    if row.name not in CATEGORIES:
        return "", "", ""
    official = "-" if row.official is None else f"{100 * row.official:.2f}"
    return str(row.errors), str(row.missing), official


def _percent(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    low, high = estimate.proportion_interval()
    return f"{100 * estimate.mean:.2f} [{100 * low:.1f}, {100 * high:.1f}]"


def totals_table(scoring: Scoring) -> Table:
    """The totals as the official tool writes them."""
    title = f"As bfcl evaluate {engine.BFCL_EVAL_VERSION} writes it (V4's rules){_marked(scoring)}"
    table = Table(title=title, title_justify="left")
    table.add_column("Total")
    table.add_column("%", justify="right")
    for name, value in official_totals(scoring).items():
        table.add_row(name, "N/A" if value is None else f"{100 * value:.2f}")
    return table


def notes(scoring: Scoring) -> Iterator[str]:
    """What a reader must know beside the tables."""
    if scoring.simulated:
        yield "SIMULATED: the answers are of a policy that knows the gold ones; nothing in them is a model's."
    dots = "keep" if scoring.dialect.dotted else "lose"
    yield f"Read as {scoring.dialect.name}; names {dots} their dots.{_official_reading(scoring)}"
    yield from _errors(scoring)
    yield from _missing(scoring)
    for file in scoring.skipped:
        yield f"Left out, not of BFCL-V3: {_printable(str(file))}"
    yield from _problems(scoring)
    yield (
        "V4's rules: inference errors are wrong, categories without results count as 0, and so do the "
        "agentic ones (40% of Overall Acc), which BFCL-V3 has not."
    )


def _official_reading(scoring: Scoring) -> str:
    model = scoring.model
    if model is None:
        return " bfcl evaluate knows no model of the folder's name: its column is for one that is read so."
    theirs = DIALECTS[model.dialect].name if model.dialect else model.handler
    if theirs == scoring.dialect.name:
        return f" bfcl evaluate takes the folder for {model.name}'s."
    return (
        f" CAUTION: bfcl evaluate takes the folder for {model.name}'s, whose {model.handler} reads {theirs}: "
        "its column is for a model that is read as said."
    )


def _errors(scoring: Scoring) -> Iterator[str]:
    errors = [item for item in scoring.judged.values() if item.error]
    if errors:
        right = sum(item.verdict.correct for item in errors)
        yield (
            f"{len(errors)} results are inference errors: not scored by us; officially "
            f"{len(errors) - right} of them count as wrong, {right} as right (irrelevance)."
        )


def _missing(scoring: Scoring) -> Iterator[str]:
    missing = [entry for category in scoring.categories for entry in scoring.missing(category)]
    if missing:
        named = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        yield (
            f"{len(missing)} entries of these categories have no result ({named}): scored is what there is; "
            "bfcl evaluate needs --partial-eval."
        )
    if scoring.unscored:
        yield (
            f"Not scored, and so no aggregate that they belong to: {', '.join(scoring.unscored)}. "
            "bfcl evaluate stops at a file without results: remove it, or play it again."
        )


_SAID = {
    "empty": "files hold no result",
    "unnamed": "files are named for no category",
    "malformed": "lines or files could not be read",
    "unknown": "lines are of no entry of this data",
    "foreign": "lines are of another category than their file",
    "duplicate": "lines repeat an entry",
}


def _problems(scoring: Scoring) -> Iterator[str]:
    for kind, count in scoring.counts.items():
        yield f"{count} {_SAID[kind]}."
    by_file = Counter(problem.file for problem in scoring.problems)
    for file, count in by_file.items():
        mine = [problem for problem in scoring.problems if problem.file == file]
        yield from (f"  {_printable(str(problem))}" for problem in mine[:MAX_NAMED])
        if count > MAX_NAMED:
            yield f"  {_printable(str(file))}: and {count - MAX_NAMED} more"


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def as_json(scoring: Scoring) -> dict[str, Any]:
    """Everything, for programs: figures, totals, each entry's verdict, the problems."""
    return {
        "path": _printable(str(scoring.path)),
        "simulated": scoring.simulated,
        "bfcl_eval_version": engine.BFCL_EVAL_VERSION,
        "dialect": scoring.dialect.name,
        "scores": {row.name: _estimate(row) for row in figures(scoring)},
        "official_totals": official_totals(scoring),
        "counts": dict(scoring.counts),
        "problems": [_printable(str(problem)) for problem in scoring.problems],
        "skipped": [_printable(str(file)) for file in scoring.skipped],
        "entries": {
            entry: {
                "correct": None if item.error else item.verdict.correct,
                "official": item.verdict.correct,
                "error": item.error,
                "error_type": item.verdict.error_type,
                "message": item.verdict.message,
            }
            for entry, item in scoring.judged.items()
        },
    }


def _estimate(row: Figure) -> dict[str, Any]:
    found: dict[str, Any] = {"errors": row.errors, "missing": row.missing, "official": row.official}
    if row.ours is None or math.isnan(row.ours.mean):
        return found
    low, high = row.ours.proportion_interval()
    estimate = {"mean": row.ours.mean, "stderr": row.ours.stderr, "low": low, "high": high}
    return {**estimate, "n": row.ours.n, **found}
