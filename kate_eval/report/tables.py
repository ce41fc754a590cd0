"""The leaderboard as a rich table for terminals and as Markdown."""

import math
from collections.abc import Sequence

from rich.table import Table

from kate_eval.report.leaderboard import Row, columns
from kate_eval.stats import Estimate

_LABELS = {
    "overall": "Overall",
    "non_live": "Non-live",
    "live": "Live",
    "multi_turn": "Multi-turn",
    "multi_turn_base": "base",
    "multi_turn_miss_func": "miss func",
    "multi_turn_miss_param": "miss param",
    "multi_turn_long_context": "long ctx",
}


def percent(estimate: Estimate | None) -> str:
    """Mean and 95% interval in percent, for instance "43.0 [38.1, 48.0]"."""
    if estimate is None:
        return "-"
    low, high = estimate.proportion_interval()
    return f"{100 * estimate.mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def difference(estimate: Estimate | None) -> str:
    """Paired difference in points, interval, p-value: "+6.2 [+3.1, +9.3] p=0.001"."""
    if estimate is None:
        return "-"
    if not estimate.stderr:
        return f"{100 * estimate.mean:+.1f} (no spread)"
    low, high = estimate.interval()
    p = estimate.p_value()
    note = f" p={p:.3f}" if p >= 0.001 else " p<0.001"
    return f"{100 * estimate.mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]{note}"


def _number(value: float | None, form: str = ".1f") -> str:
    return "-" if value is None or math.isnan(value) else format(value, form)


def _cells(row: Row, names: Sequence[str]) -> list[str]:
    solver = f"{row.run.solver} ({row.settings})" if row.settings else row.run.solver
    model = row.run.model + (f" + critic {row.run.critic}" if row.run.critic else "")
    means = [row.scores[name].mean if name in row.scores else None for name in names]
    return [
        model,
        solver,
        f"{_LABELS.get(row.headline, row.headline)} {percent(row.scores.get(row.headline))}",
        str(row.scores[row.headline].n) if row.headline in row.scores else "0",
        *(_number(mean and 100 * mean) for mean in means),
        difference(row.difference),
        _number(row.means.get("requests")),
        _number(row.means.get("tokens"), ",.0f"),
        _number(row.means.get("agreement_rate"), ".0%"),
        _number(row.means.get("retrieval_hit_rate"), ".0%"),
        str(row.errors),
        "; ".join(row.flags) or "-",
    ]


def _header(names: Sequence[str]) -> list[str]:
    scores = [_LABELS.get(name, name) for name in names]
    cost = ["Req.", "Tokens", "Agree", "Hits", "Err."]
    return ["Model", "Solver", "Score", "n", *scores, "vs baseline", *cost, "Notes"]


WIDE = 170
"""Columns of a terminal that hold the whole table."""
_NARROW = ("Model", "Solver", "Score", "n", "vs baseline", "Err.", "Notes")


def rich_table(rows: Sequence[Row], wide: bool = True) -> Table:
    """The leaderboard for a terminal; a narrow one gets fewer columns."""
    names = columns(rows)
    header = _header(names)
    shown = [n for n, title in enumerate(header) if wide or title in _NARROW]
    table = Table(title="BFCL-V3, percent correct, with 95% intervals clustered by underlying entry")
    for number in shown:
        text = header[number] in ("Model", "Solver", "Notes")
        table.add_column(header[number], justify="left" if text else "right", overflow="fold")
    for row in rows:
        cells = _cells(row, names)
        table.add_row(*(cells[number] for number in shown))
    return table


def markdown(rows: Sequence[Row]) -> str:
    """The leaderboard, the scores per category and the provenance, as Markdown."""
    names = columns(rows)
    every = list(dict.fromkeys(name for row in rows for name in row.scores))
    parts = [
        "# BFCL-V3 leaderboard",
        _pipe_table([_header(names), *(_cells(row, names) for row in rows)]),
        EXPLANATION,
    ]
    body = [[_name(row), *(percent(row.scores.get(name)) for name in every)] for row in rows]
    parts += ["## Aggregates and categories", _pipe_table([["Run", *every], *body])]
    parts += ["## Provenance", _pipe_table([_PROVENANCE, *(_provenance(row) for row in rows)])]
    return "\n\n".join(parts) + "\n"


EXPLANATION = (
    "Scores are percent correct by the official checkers, with 95% intervals (Wilson, standard errors "
    'clustered by the underlying entry). "vs baseline" is the paired difference in points to the `baseline` '
    'solver with the same model on the entries that both have. "n" counts the samples scored; requests and '
    'tokens are means per sample; "Agree" is the share of steps at which all candidates agreed, "Hits" the '
    "share of turns with knowledge injected. Samples that "
    "failed are counted under Err. and not scored. Rows marked SIMULATED come from a stochastic simulation "
    "of a model, not from a model."
)

_PROVENANCE = [
    *("Run", "Valid gold only", "Split", "Mode", "Data hash", "Prompts", "Bank", "bfcl-eval", "Task"),
    *("Created", "Log"),
]


def _provenance(row: Row) -> list[str]:
    metadata = row.run.metadata
    return [
        _name(row),
        f"{percent(row.valid_gold)} ({row.headline})",
        str(metadata.get("split")),
        str(metadata.get("mode")),
        str(metadata.get("data_hash")),
        _hashes(row, "prompts_hash"),
        _hashes(row, "bank_hash"),
        str(metadata.get("bfcl_eval_version")),
        row.run.task_version,
        row.run.created,
        row.run.file.rpartition("/")[2],
    ]


def _hashes(row: Row, name: str) -> str:
    found = {str(s.provenance[name]) for s in row.run.samples if s.provenance.get(name)}
    return ", ".join(sorted(found)) or "-"


def _name(row: Row) -> str:
    return f"{row.run.model} {row.run.solver}" + (f" ({row.settings})" if row.settings else "")


def _pipe_table(lines: Sequence[Sequence[str]]) -> str:
    head, *body = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *body])
