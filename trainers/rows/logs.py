"""Rows from logs: what models did rightly, as they wrote it (rejection sampling).

What can't be used is named and counted, as for knowledge (knowledge/acquire/logs.py).
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kate_eval.errors import ConfigurationError
from kate_eval.knowledge.acquire.logs import (
    MAX_SHOWN,
    chosen_logs,
    log_samples,
    logs_card,
    played_cases,
    played_sample,
)
from kate_eval.knowledge.acquire.trajectory import trajectories
from kate_eval.knowledge.card import Card
from kate_eval.knowledge.item import Experience
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.runs import Run, run_rows

_ID = re.compile(r'"(?:id|tool_call_id)": "[^"\\]*", ?|, "(?:id|tool_call_id)": "[^"\\]*"')


@dataclass
class LogRows:
    """What logs gave.

    Attributes:
        card: of the benchmark.
        rows: in the logs' order.
        items: the turns that they are of, for the leak check.
        logs: file names.
        notes: what was left out.
    """

    card: Card
    rows: list[Row] = field(default_factory=list)
    items: list[Experience] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def rows_of_logs(
    logs: Sequence[Path],
    benchmark: str | None,
    keep: Callable[[str], bool],
    width: int,
    say: Callable[[str], None],
) -> LogRows:
    """The rows of all samples in logs.

    Args:
        logs: log files, or folders of them.
        benchmark: which one, where the logs hold several.
        keep: whether an entry is wanted.
        width: candidates of an aggregation row at most; 0: no such rows.
        say: told of each log that can't be used.

    Raises:
        ConfigurationError: no log of our tasks can be read, they are of several benchmarks, or nothing in
            them was done rightly.
    """
    wanted, chosen = chosen_logs(logs, benchmark, say)
    found = LogRows(logs_card(wanted, list(chosen.values())))
    left_out: Counter[str] = Counter()
    seen: set[str] = set()
    for name, log in sorted(chosen.items()):
        before = len(found.rows)
        for sample in log_samples(name, log, say, events=True):
            try:
                if not keep(str(sample.id)):
                    raise ValueError("the entry is of another split")
                run = Run(*played_sample(name, log, sample), sample, width)
                rows, items = await _learn(run)
            except Exception as ex:  # a log may hold anything; one sample must not cost the others
                left_out[f"samples: {str(ex)[:MAX_SHOWN] or type(ex).__name__}"] += 1
                continue
            new = {key: row for row in rows if (key := _content(row)) not in seen}
            left_out["rows: another sample has the same"] += len(rows) - len(new)
            seen |= new.keys()
            found.rows += new.values()
            found.items += items
        if len(found.rows) > before:
            found.logs.append(name.rpartition("/")[2])
    found.notes += [f"{count} {reason}" for reason, count in left_out.most_common() if count]
    if not found.rows:
        raise ConfigurationError(f"The logs hold nothing to learn from. {'; '.join(found.notes)}")
    return found


async def _learn(run: Run) -> tuple[list[Row], list[Experience]]:
    rows = await run_rows(run)
    if not rows:
        raise ValueError("nothing in it was done rightly")
    return rows, trajectories(played_cases(run.played, run.origin))


def _content(row: Row) -> str:
    """Equal for rows that ask and answer the same: what servers number calls by does not count."""
    said = json.dumps(
        [row.kind, row.messages, row.completion, [tool["function"]["name"] for tool in row.tools]]
    )
    return hashlib.sha256(_ID.sub("", said).encode()).hexdigest()
