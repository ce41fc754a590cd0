"""Rows from logs: what models did rightly, as they wrote it (rejection sampling).

What can't be used is named and counted, as for knowledge (knowledge/acquire/logs.py).
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kate_eval.appworld import data as appworld_data
from kate_eval.bfcl import data as bfcl_data
from kate_eval.bfcl.categories import SPLITS, in_split
from kate_eval.errors import ConfigurationError, unknown
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
from kate_eval.trainers.rows.finish import Made, card_of, save
from kate_eval.trainers.rows.folder import writing
from kate_eval.trainers.rows.leak import check, evaluation_sets, require_apart
from kate_eval.trainers.rows.recipe import Recipe
from kate_eval.trainers.rows.runs import Run, run_rows
from kate_eval.trainers.rows.shown import keep_apart
from kate_eval.trainers.rows.statistics import Counter as TokenCounter

_ID = re.compile(r'"(?:id|tool_call_id)": "[^"\\]*", ?|, "(?:id|tool_call_id)": "[^"\\]*"')


@dataclass
class LogRows:
    """What logs gave.

    Attributes:
        card: of the benchmark.
        rows: in the logs' order.
        items: the turns that they are of, for the leak check.
        made_from: item that prompts show -> the entries it was made from.
        logs: file names.
        notes: what was left out.
    """

    card: Card
    rows: list[Row] = field(default_factory=list)
    items: list[Experience] = field(default_factory=list)
    made_from: dict[str, frozenset[str]] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def know(self, made_from: Mapping[str, frozenset[str]]) -> None:
        """Note what shown items were made from; items of several banks may share an id: it may be any."""
        for item, entries in made_from.items():
            self.made_from[item] = self.made_from.get(item, frozenset()) | entries


async def make_log_rows(
    recipe: Recipe, logs: Sequence[Path], folder: Path, counter: TokenCounter, say: Callable[[str], None]
) -> Made:
    """Make rows of what models did rightly.

    Args:
        recipe: what is wanted; its split, if given, says which entries are taken.
        logs: log files, or folders of them.
        folder: to write.
        counter: of tokens.
        say: told of each log that can't be used.

    Raises:
        ConfigurationError: nothing usable is in the logs, or an option does not apply to logs.
        LeakageError: entries, or all knowledge shown, are of the test half, which is not allowed.
        RowsError: the folder holds something else.
    """
    for name, given in (
        ("categories", recipe.categories),
        ("mode", recipe.mode),
        ("knowledge", recipe.knowledge.forms),
    ):
        if given:
            raise ConfigurationError(f"--{name} does not apply to --from-logs: the logs say what was played")
    found = await rows_of_logs(logs, recipe.benchmark, recipe.split, recipe.aggregation, say)
    rows = found.rows
    entries = list(dict.fromkeys(row.entry for row in rows))[: recipe.limit]
    rows = [row for row in rows if row.entry in set(entries)]
    categories = found.card.categories or ()
    sets = evaluation_sets(found.card.benchmark, categories)
    leaked = require_apart(frozenset(entries), None, sets, recipe.allow_leakage)
    apart = keep_apart(rows, found.made_from, found.card.benchmark, recipe)
    rows = apart.rows
    with writing(folder):
        mode = "+".join(sorted({row.mode for row in rows}))
        filled = card_of(recipe, found.card, mode, rows).model_copy(
            update={
                "logs": tuple(found.logs),
                "models": tuple(sorted({row.origin.model for row in rows})),
                "leak": await check(found.items, found.card, apart.shown, sets),
                "leaked": leaked or apart.leaked,
                "notes": (*found.notes, *apart.notes),
            }
        )
        return Made(save(folder, rows, recipe, filled, counter))


async def rows_of_logs(
    logs: Sequence[Path],
    benchmark: str | None,
    split: str | None,
    width: int,
    say: Callable[[str], None],
) -> LogRows:
    """The rows of all samples in logs.

    Args:
        logs: log files, or folders of them.
        benchmark: which one, where the logs hold several.
        split: whose entries are taken; None: all.
        width: candidates of an aggregation row at most; 0: no such rows.
        say: told of each log that can't be used.

    Raises:
        ConfigurationError: no log of our tasks can be read, they are of several benchmarks, the benchmark
            has no such split, or nothing in them was done rightly.
    """
    wanted, chosen = chosen_logs(logs, benchmark, say)
    keep = _of_split(wanted, split)
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
                made_from = run.made_from
            except Exception as ex:  # a log may hold anything; one sample must not cost the others
                left_out[f"samples: {str(ex)[:MAX_SHOWN] or type(ex).__name__}"] += 1
                continue
            new = {key: row for row in rows if (key := _content(row)) not in seen}
            left_out["rows: another sample has the same"] += len(rows) - len(new)
            seen |= new.keys()
            found.rows += new.values()
            found.items += items
            found.know(made_from)
        if len(found.rows) > before:
            found.logs.append(name.rpartition("/")[2])
    found.notes += [f"{count} {reason}" for reason, count in left_out.most_common() if count]
    if not found.rows:
        raise ConfigurationError(f"The logs hold nothing to learn from. {'; '.join(found.notes)}")
    return found


def _of_split(benchmark: str, split: str | None) -> Callable[[str], bool]:
    """Whether an entry belongs to a split of the benchmark."""
    if split is None:
        return lambda entry: True
    if benchmark == "bfcl":
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        return lambda entry: in_split(bfcl_data.load_entry(entry).index, split)
    wanted = frozenset(appworld_data.task_ids(split))
    return lambda entry: entry in wanted


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
