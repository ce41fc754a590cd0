"""The leaderboard as a rich table for terminals and as Markdown."""

import math
from collections.abc import Sequence

from rich.table import Table

from kate_eval.appworld.scorer import FAILURES
from kate_eval.report.curve import curve
from kate_eval.report.leaderboard import Row, columns
from kate_eval.report.nearness import by_stratum
from kate_eval.report.part import Part
from kate_eval.stats import Estimate


def percent(estimate: Estimate | None) -> str:
    """Mean and 95% interval in percent, for instance "43.0 [38.1, 48.0]"."""
    if estimate is None:
        return "-"
    low, high = estimate.proportion_interval()
    return f"{_percent(estimate.mean)} [{100 * low:.1f}, {100 * high:.1f}]"


def _percent(mean: float) -> str:
    """A mean in percent with one decimal, rounded to four digits first as AppWorld's engine does."""
    return f"{100 * round(mean, 4):.1f}"


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
        f"{row.run.benchmark.labels.get(row.headline, row.headline)} {percent(row.scores.get(row.headline))}",
        str(row.scores[row.headline].n) if row.headline in row.scores else "0",
        *("-" if mean is None else _percent(mean) for mean in means),
        difference(row.difference),
        _number(row.means.get("requests")),
        _number(row.means.get("tokens"), ",.0f"),
        _number(row.means.get("agreement_rate"), ".0%"),
        _number(row.means.get("retrieval_hit_rate"), ".0%"),
        str(row.errors),
        "; ".join(row.flags) or "-",
    ]


def _header(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    labels = rows[0].run.benchmark.labels
    scores = [labels.get(name, name) for name in names]
    cost = ["Req.", "Tokens", "Agree", "Hits", "Err."]
    return ["Model", "Solver", "Score", "n", *scores, "vs baseline", *cost, "Notes"]


WIDE = 170
"""Columns of a terminal that hold the whole table."""
_NARROW = ("Model", "Solver", "Score", "n", "vs baseline", "Err.", "Notes")


def boards(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each table, by its title, in order of appearance."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.run.board, []).append(row)
    return found


def rich_tables(rows: Sequence[Row], wide: bool = True) -> list[Table]:
    """The leaderboard for a terminal, a table a board; a narrow terminal gets fewer columns."""
    return [_rich_table(title, board, wide) for title, board in boards(rows).items()]


def _rich_table(title: str, rows: Sequence[Row], wide: bool) -> Table:
    names = columns(rows)
    header = _header(rows, names)
    shown = [n for n, title in enumerate(header) if wide or title in _NARROW]
    table = Table(title=f"{title}, percent correct, with 95% intervals")
    for number in shown:
        text = header[number] in ("Model", "Solver", "Notes")
        table.add_column(header[number], justify="left" if text else "right", overflow="fold")
    for row in rows:
        cells = _cells(row, names)
        table.add_row(*(cells[number] for number in shown))
    return table


_PART = ["n", "Score", "Baseline", "vs baseline"]
_STRATA = ["Run", "Nearest item", *_PART]
_CURVE = ["Run", "Positions", "n", "Score", "So far", "Baseline", "So far vs baseline"]
_COST = [
    *("Run", "In", "Cached", "Out", "Reasoning", "Critic", "Width", "Saved"),
    *("s/step p50", "p95", "Model s/step", "$/sample", "$/run"),
]
_COST_WIDE = ("Cached", "Reasoning", "Critic", "Width", "Saved", "Model s/step", "$/run")
"""Columns that a narrow terminal doesn't get."""
COST_TITLE = "cost and latency"
STRATA_TITLE = "by similarity to the bank"
CURVE_TITLE = "learning curve"


def part_tables(rows: Sequence[Row], wide: bool = True) -> list[Table]:
    """For a terminal: cost and latency, the runs by similarity to the bank, and learning curves."""
    found = []
    for title, board in boards(rows).items():
        for name, header, lines in _parts(board):
            table = Table(title=f"{title}, {name}")
            shown = [n for n, column in enumerate(header) if wide or column not in _COST_WIDE]
            for column in (header[n] for n in shown):
                text = column in ("Run", "Nearest item")
                table.add_column(column, justify="left" if text else "right", overflow="fold")
            for number, line in enumerate(lines):
                again = number > 0 and lines[number - 1][0] == line[0]
                last = number + 1 == len(lines) or lines[number + 1][0] != line[0]
                cells = ["" if again else line[0], *line[1:]]
                table.add_row(*(cells[n] for n in shown), end_section=last)
            found.append(table)
    return found


def _parts(board: Sequence[Row]) -> list[tuple[str, list[str], list[list[str]]]]:
    """(title, header, lines) of each table that has lines."""
    strata = [[_name(r), name, *_part_cells(p)] for r in board for name, p in by_stratum(r).items()]
    points = [
        [
            *(_name(row), f"{point.first}-{point.last}", _count(point.here), percent(point.here.score)),
            *(percent(point.so_far.score), percent(point.here.baseline), difference(point.so_far.difference)),
        ]
        for row in board
        for point in curve(row)
    ]
    costs = [[_name(row), *_cost_cells(row)] for row in board if row.cost and row.run.usage]
    tables = [(COST_TITLE, _COST, costs), (STRATA_TITLE, _STRATA, strata), (CURVE_TITLE, _CURVE, points)]
    return [(title, header, lines) for title, header, lines in tables if lines]


def _cost_cells(row: Row) -> list[str]:
    cost, means = row.cost, row.means
    if cost is None:
        return ["-"] * (len(_COST) - 1)
    each = None if cost.dollars is None or not row.run.samples else cost.dollars / len(row.run.samples)
    adaptive = "adaptive" in str(row.run.parameters.get("width"))
    tokens = (cost.input, cost.cached, cost.output, cost.reasoning, cost.roles.get("critic"))
    return [
        *(_number(value, ",.0f") for value in tokens),
        _number(means.get("mean_width")),
        _number(means.get("tokens_saved"), ",.0f") if adaptive else "-",
        *(_number(value, ".2f") for value in (cost.p50, cost.p95, cost.model)),
        *(_number(value, ".4g") for value in (each, cost.dollars)),
    ]


def _part_cells(found: Part) -> list[str]:
    return [_count(found), percent(found.score), percent(found.baseline), difference(found.difference)]


def _count(found: Part) -> str:
    return str(found.score.n) if found.score else "0"


def markdown(rows: Sequence[Row]) -> str:
    """The leaderboard, the scores per category and the provenance, as Markdown."""
    parts = ["# Leaderboard"]
    for title, board in boards(rows).items():
        names = columns(board)
        table = _pipe_table([_header(board, names), *(_cells(row, names) for row in board)])
        parts += [f"## {title}", table]
    parts.append(EXPLANATION)
    for title, board in boards(rows).items():
        parts += _details(title, board)
    return "\n\n".join(parts) + "\n"


def _details(title: str, rows: Sequence[Row]) -> list[str]:
    every = list(dict.fromkeys(name for row in rows for name in row.scores))
    body = [[_name(row), *(percent(row.scores.get(name)) for name in every)] for row in rows]
    parts = [f"## {title}: all scores", _pipe_table([["Run", *every], *body])]
    failures = [[_name(row), *_failures(row)] for row in rows if any(_kinds(row))]
    if failures:
        parts += [f"## {title}: why samples failed", _pipe_table([["Run", *_FAILURES], *failures])]
    for name, header, lines in _parts(rows):
        parts += [f"## {title}: {name}", PART_EXPLANATIONS[name], _pipe_table([header, *lines])]
    return [*parts, f"## {title}: provenance", _pipe_table([_PROVENANCE, *(_provenance(r) for r in rows)])]


_FAILURES = [*(kind.replace("_", " ") for kind in FAILURES), "environment error", "interactions (mean)"]


def _kinds(row: Row) -> list[str]:
    return [str(s.details["failure"]) for s in row.run.samples if s.details.get("failure")]


def _failures(row: Row) -> list[str]:
    kinds = _kinds(row)
    counts = [str(kinds.count(kind)) for kind in FAILURES]
    return [*counts, str(row.errors), _number(row.means.get("interactions"))]


EXPLANATION = (
    "Scores are percent correct by the official checkers, with 95% intervals (Wilson, standard errors "
    "clustered by the underlying entry or scenario). AppWorld's TGC counts tasks, its SGC scenarios of "
    'which every variant was solved. "vs baseline" is the paired difference in points to the `baseline` '
    'solver with the same model on the entries that both have. "n" counts the samples scored; requests and '
    'tokens are means per sample; "Agree" is the share of steps at which all candidates agreed, "Hits" the '
    "share of turns with knowledge injected. Samples that "
    "failed are counted under Err. and not scored. Rows marked SIMULATED come from a stochastic simulation "
    "of a model, not from a model."
)

PART_EXPLANATIONS = {
    COST_TITLE: (
        "Tokens are means per sample over all models: prompts (of them from the server's prefix cache, where "
        'it tells), output (of it reasoning, where it tells), and input and output of critics. "Width" is '
        'the mean number of candidates a step, "Saved" an estimate of the tokens that adaptive width saved '
        "against its full width. Seconds go from a step's first request to its decision, over all steps of "
        'the run; "Model s/step" is the time of its requests alone, each counted. Dollars need prices: '
        "`kate report --prices FILE`, or `--model-cost-config` when it ran. Of simulated models neither "
        "seconds nor dollars mean anything."
    ),
    STRATA_TITLE: (
        "A sample counts by the bank's item that is most similar to any of its turns (TF-IDF, whatever "
        "the bank's embedder): a gain that lies in duplicates alone is repetition. Scores are plain means "
        "over the part's samples; the baseline's is on the same entries."
    ),
    CURVE_TITLE: (
        "The run in the order in which it learned from its samples: score of each part, of all parts so far, "
        "the baseline's score on the part's entries, and the paired difference over all parts so far."
    ),
}

_PROVENANCE = [
    *("Run", "Valid gold only", "Split", "Mode", "Data hash", "Prompts", "Bank", "Engine", "Task"),
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
        str(metadata.get("bfcl_eval_version") or metadata.get("appworld_version")),
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
