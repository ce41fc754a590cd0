"""The tables of the document: leaderboards, both AppWorld splits side by side, strata, learning curves.

A table has the rows of one board and kind: what is simulated never stands beside what was measured.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile, zip_longest
from typing import Any

from kate_eval.report.causes import Causes
from kate_eval.report.columns import estimate, leaderboard_fields
from kate_eval.report.curve import curve
from kate_eval.report.document import Cell, Column, Kind, Row, Table, Value
from kate_eval.report.leaderboard import Result
from kate_eval.report.nearness import by_stratum
from kate_eval.report.published import APPWORLD, GOALS, official_split, published_tables
from kate_eval.report.rows import corrected, kind_of, logs_of, part_row, row_of

SIMULATED_NOTE = (
    "SIMULATED: a stochastic policy that knows the gold answers and errs. These rows show that the machinery "
    "works; nothing in them is a model's, and neither seconds nor dollars mean anything."
)
LEADERBOARD_NOTE = (
    "Scores are by the official checkers, with 95% intervals (Wilson, standard errors clustered by the "
    "underlying entry or scenario). The difference to the baseline is paired, on the entries that both have; "
    "its p-value is corrected by Holm for all comparisons of the table; Detectable is the smallest true "
    "difference that a sample like this one shows with 80% power, before that correction. n counts the "
    "samples scored; what could not be scored is an error (Err.), never a zero. Requests and tokens are "
    "means per sample; Agree is the share of steps at which all candidates agreed, Hits that of searches "
    "that found knowledge."
)
STRATA_NOTE = (
    "A sample counts by the bank's item that is most similar to any of its turns (TF-IDF, whatever the "
    "bank's embedder): a gain that lies in duplicates alone is repetition. Scores are plain means over the "
    "part's samples; the baseline's is on the same entries."
)
LEARNING_NOTE = (
    "The run in the order in which it learned from its samples: score of each part, of all parts so far, the "
    "baseline's score on the part's entries, and the paired difference over all parts so far."
)


def make_tables(results: Sequence[Result], causes: Mapping[str, Causes]) -> list[Table]:
    """All tables, board by board; published numbers come last.

    Args:
        results: of all runs.
        causes: id of a run -> why its samples failed, as far as that was looked up.
    """
    tables = []
    for board in _grouped(results, lambda result: result.run.board):
        for block in blocks(board):
            tables += [_leaderboard(block, causes), _strata(block), _learning(block)]
    tables += [_overview(block) for block in blocks([r for r in results if official_split(r.run)])]
    tables += published_tables([result.run for result in results])
    return _named([table for table in tables if table is not None])


def _grouped(results: Sequence[Result], key: Any) -> list[list[Result]]:
    found: dict[Any, list[Result]] = {}
    for result in results:
        found.setdefault(key(result), []).append(result)
    return list(found.values())


def blocks(results: Sequence[Result]) -> list[list[Result]]:
    """The results that may stand in one table: measured ones with floors, and simulated ones apart."""
    return sorted(_grouped(results, lambda result: result.run.simulated), key=lambda b: b[0].run.simulated)


def block_kind(block: Sequence[Result]) -> Kind:
    """The kind of a block's table."""
    return "simulated" if kind_of(block[0].run) == "simulated" else "measured"


def _leaderboard(block: Sequence[Result], causes: Mapping[str, Causes]) -> Table:
    fields = leaderboard_fields(block, causes)
    rows = corrected([row_of(result, fields, causes) for result in block])
    return _table(block, "leaderboard", "", LEADERBOARD_NOTE, [f.column for f in fields], rows)


def _table(
    block: Sequence[Result], role: str, what: str, note: str, columns: Sequence[Column], rows: Sequence[Row]
) -> Table:
    run, kind = block[0].run, block_kind(block)
    board = APPWORLD if role == "overview" else run.board
    simulated = kind == "simulated"
    return Table.model_validate(
        {
            "id": "-".join(filter(None, (slug(board), kind, role if what else ""))),
            "title": board + (f", {what}" if what else "") + (" (SIMULATED)" if simulated else ""),
            "board": board,
            "benchmark": run.metadata["benchmark"],
            "role": role,
            "kind": kind,
            "note": f"{SIMULATED_NOTE}\n{note}" if simulated else note,
            "headline": columns[0].key,
            "columns": columns,
            "rows": rows,
        }
    )


def slug(text: str) -> str:
    """Letters, digits and hyphens of a text, without what stands in brackets."""
    return re.sub(r"[^a-z0-9]+", "-", text.partition(" (")[0].lower()).strip("-") or "table"


def _named(tables: Sequence[Table]) -> list[Table]:
    """The tables, numbered where two would have one id."""
    found: dict[str, Table] = {}
    for table in tables:
        number = 1
        while (name := table.id if number == 1 else f"{table.id}-{number}") in found:
            number += 1
        found[name] = table.model_copy(update={"id": name})
    return list(found.values())


def _share(key: str, label: str) -> Column:
    return Column(key=key, label=label, unit="share", group="part", better="higher")


def _strata(block: Sequence[Result]) -> Table | None:
    rows = [part_row(r, name, found, {}) for r in block for name, found in by_stratum(r).items()]
    columns = [_share("score", "Score"), _share("baseline", "Baseline")]
    return (
        _table(block, "strata", "by similarity to the bank", STRATA_NOTE, columns, corrected(rows))
        if rows
        else None
    )


def _learning(block: Sequence[Result]) -> Table | None:
    rows = []
    for result in block:
        for point in curve(result):
            row = part_row(result, f"{point.first}-{point.last}", point.so_far, {})
            cells: dict[str, Cell | None] = {
                "score": estimate(point.here.score),
                "so_far": estimate(point.so_far.score),
                "baseline": estimate(point.here.baseline),
            }
            rows.append(row.model_copy(update={"cells": cells}))
    columns = [_share("score", "Score"), _share("so_far", "So far"), _share("baseline", "Baseline")]
    return (
        _table(block, "learning", "learning curve", LEARNING_NOTE, columns, corrected(rows)) if rows else None
    )


def _side_by_side(block: Sequence[Result]) -> list[list[Result]]:
    """The runs of one way of playing, each split once: where it was played twice, the next is a row apart."""
    found: list[list[Result]] = []
    for alike in _grouped(block, lambda result: (*result.run.played, result.run.epochs)):
        splits = _grouped(alike, lambda result: official_split(result.run))
        found += [[r for r in runs if r] for runs in zip_longest(*splits)]
    return found


def _shared(names: Sequence[str]) -> str:
    """The words that all names begin with: "KATE" of "KATE, normal" and "KATE, challenge"."""
    places = zip(*(name.split() for name in names), strict=False)
    return " ".join(words[0] for words in takewhile(lambda w: len(set(w)) == 1, places)).rstrip(",:;")


def _overview(block: Sequence[Result]) -> Table | None:
    """AppWorld's test splits side by side, a row for all runs of one way of playing."""
    columns = [
        Column(key=key, label=label, unit="share", group="score", better="higher")
        for key, label in GOALS.items()
    ]
    rows = []
    for same in _side_by_side(block):
        cells: dict[str, Value] = {}
        for result in same:
            split = official_split(result.run)
            cells |= {f"{name}_{split}": estimate(result.scores.get(name)) for name in ("tgc", "sgc")}
        run = same[0].run
        flags = dict.fromkeys(flag for result in same for flag in result.flags)
        rows.append(
            Row(
                id=run.id,
                model=run.model,
                solver=run.solver,
                label=run.label,
                name=_shared([result.run.name for result in same]),
                settings=run.settings,
                kind=kind_of(run),
                flags=tuple(flags),
                cells=cells,
                logs=tuple(log for result in same for log in logs_of(result.run)),
            )
        )
    return (
        _table(block, "overview", "both test splits", LEADERBOARD_NOTE, columns, rows)
        if len(block) > 1
        else None
    )
