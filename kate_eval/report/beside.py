"""What makes a row not like for like with the rows beside it: other data, versions or banks than theirs."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kate_eval.report.document import Flag
from kate_eval.report.runs import GROWS, Run


def beside_flags(runs: Sequence[Run]) -> dict[str, list[Flag]]:
    """Id of a run -> the flags that it has for what the other runs of its board are."""
    boards: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        boards[run.board].append(run)
    found: dict[str, list[Flag]] = {}
    for board in boards.values():
        usual = _usual(board)
        found |= {run.id: list(_flags(run, usual)) for run in board}
    return found


@dataclass(frozen=True)
class _Usual:
    """What most rows of a board have: one value, or all that equally many have.

    Attributes:
        metadata: key -> values.
        task_version: of the task.
        hashes: category -> hashes of its data.
        banks: name of a bank -> what its rows found it to hold.
    """

    metadata: Mapping[str, Sequence[Any]]
    task_version: Sequence[Any]
    hashes: Mapping[str, Sequence[Any]]
    banks: Mapping[str, set[frozenset[str]]]


def _usual(board: Sequence[Run]) -> _Usual:
    keys = [key for key in board[0].benchmark.like if key != "mode"]  # modes are compared on purpose
    hashes: dict[str, list[str]] = defaultdict(list)
    banks: dict[str, set[frozenset[str]]] = defaultdict(set)
    for run in board:
        for category, value in _hashes(run).items():
            hashes[category].append(value)
        for name, held in _steady_banks(run).items():
            banks[name].add(frozenset(held))
    return _Usual(
        metadata={key: _most([run.metadata.get(key) for run in board]) for key in keys},
        task_version=_most([run.task_version for run in board]),
        hashes={category: _most(values) for category, values in hashes.items()},
        banks=banks,
    )


def _most(values: Sequence[Any]) -> list[Any]:
    """The most frequent values, each once."""
    counts = Counter(map(repr, values))
    found = {repr(value): value for value in values if counts[repr(value)] == max(counts.values())}
    return list(found.values())


def _others(value: Any, usual: Sequence[Any]) -> str:
    """The usual values that are not a row's; "" where there is none: then it is not to be flagged."""
    return " or ".join(str(other) or "none" for other in usual if other != value)


def _hashes(run: Run) -> Mapping[str, str]:
    return run.metadata.get("category_hashes") or {}


def _steady_banks(run: Run) -> Mapping[str, set[str]]:
    return {} if run.solver == GROWS else run.banks


def _flags(run: Run, usual: _Usual) -> Iterator[Flag]:
    for key, values in usual.metadata.items():
        if others := _others(run.metadata.get(key), values):
            code = "data" if "hash" in key else "version"
            yield Flag(code=code, text=f"{key} {run.metadata.get(key)}, other rows {others}")
    if others := _others(run.task_version, usual.task_version):
        yield Flag(code="version", text=f"task version {run.task_version}, other rows {others}")
    other = [category for category, value in _hashes(run).items() if _others(value, usual.hashes[category])]
    if other:
        yield Flag(code="data", text=f"other data than other rows: {', '.join(other)}")
    for name, held in _steady_banks(run).items():
        if len(held) > 1:
            yield Flag(code="bank_changed", text=f"bank {name} changed during the run")
        if len(usual.banks[name]) > 1:
            here = ", ".join(sorted(held))
            yield Flag(code="bank_differs", text=f"bank {name} is not the same in all rows: here {here}")
