"""The learning curve: an online run's score over the order in which it learned, not the entries'."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai import eval
from inspect_ai.solver import Generate, Solver, TaskState, solver

from kate_eval.bfcl.data import load_category
from kate_eval.cli import main
from kate_eval.counters import COUNTERS_KEY
from kate_eval.report.curve import curve
from kate_eval.report.leaderboard import Result, leaderboard
from kate_eval.report.make import make_document
from kate_eval.report.read import Reading, read_runs
from kate_eval.report.runs import SampleRow
from kate_eval.solvers.kate import baseline
from kate_eval.stats import Observed
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Scripted, gold_answer, output

COUNT = 6
ENTRIES = [entry for entry in load_category("multi_turn_base") if entry.index % 2][:COUNT]
BASE = {"categories": "multi_turn_base"}
LEARNED = 3
"""Positions up to here are answered wrongly, the others rightly."""


def position(entry_id: str) -> int:
    """The order of learning is the reverse of the entries' order."""
    return COUNT - [entry.id for entry in ENTRIES].index(entry_id)


@solver
def learner() -> Solver:
    """Plays as the baseline does, and keeps the position that an online run would."""
    inner = baseline()

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state = await inner(state, generate)
        counters = state.store.get(COUNTERS_KEY)
        state.store.set(COUNTERS_KEY, {**counters, "position": position(str(state.sample_id))})
        return state

    return solve


def right_where(known: Callable[[str], bool]) -> Scripted:
    """A model that plays the gold of the entries that it knows, and nothing in others."""
    gold = gold_answer()
    by_text = {entry.turns[0][0]["content"]: entry.id for entry in ENTRIES}

    def answer(messages: Any, config: Any) -> Any:
        asked = next(m.text for m in messages if m.role == "user")
        name = next(name for text, name in by_text.items() if text in asked)
        return gold(messages, config) if known(name) else output("Done.")

    return Scripted(answer)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned after three samples, and a baseline that is right at every other position."""
    folder = tmp_path_factory.mktemp("logs")
    options: dict[str, Any] = {"log_dir": str(folder), "display": "none", "limit": COUNT}
    late = right_where(lambda entry: position(entry) > LEARNED)
    eval(bfcl(**BASE), model=late.model(), solver=learner(), **options)
    odd = right_where(lambda entry: position(entry) % 2 == 1)
    eval(bfcl(**BASE), model=odd.model(), solver=baseline(), **options)
    return folder


@pytest.fixture(scope="module")
def row(logs: Path) -> Result:
    """The learner's row."""
    [found] = [row for row in leaderboard(read_runs(logs)) if row.run.solver == "learner"]
    return found


def longer(row: Result, count: int) -> Result:
    """The row as if more samples had been played: right after a quarter, the baseline at odd positions."""
    assert row.baseline is not None

    def samples(template: SampleRow, right: Callable[[int], bool], placed: bool) -> tuple[SampleRow, ...]:
        made = []
        for n in range(count, 0, -1):
            observed = Observed(float(right(n)), "multi_turn_base", f"multi_turn_{n}")
            made.append(replace(template, entry=f"e{n}", observed=observed, position=n if placed else None))
        return tuple(made)

    mine = samples(row.run.samples[0], lambda n: n > count // 4, True)
    theirs = samples(row.baseline.samples[0], lambda n: n % 2 == 1, False)
    return replace(row, run=replace(row.run, samples=mine), baseline=replace(row.baseline, samples=theirs))


def test_a_run_s_positions_order_its_curve(row: Result) -> None:
    points = curve(row)
    assert [(p.first, p.last) for p in points] == [(1, 2), (3, 4), (5, 6)]
    assert [p.here.score.mean for p in points if p.here.score] == [0, 0.5, 1]
    assert [p.so_far.score.mean for p in points if p.so_far.score] == pytest.approx([0, 1 / 4, 3 / 6])
    assert [p.here.baseline.mean for p in points if p.here.baseline] == [0.5] * 3
    differences = [p.so_far.difference.mean for p in points if p.so_far.difference]
    assert differences == pytest.approx([-1 / 2, -1 / 4, 0])
    assert row.difference is not None and row.difference.mean == differences[-1]


def test_a_long_run_has_a_point_for_each_tenth_of_the_order(row: Result) -> None:
    points = curve(longer(row, 40))
    assert [(p.first, p.last) for p in points] == [(n, n + 3) for n in range(1, 40, 4)]
    assert [p.here.score.mean for p in points if p.here.score] == [0, 0, 0.5, *[1.0] * 7]
    ends = range(4, 41, 4)
    so_far = [max(0, end - 10) / end for end in ends]
    assert [p.so_far.score.mean for p in points if p.so_far.score] == pytest.approx(so_far)
    assert [p.so_far.score.n for p in points if p.so_far.score] == list(ends)
    differences = [p.so_far.difference.mean for p in points if p.so_far.difference]
    assert differences == pytest.approx([mean - 0.5 for mean in so_far])


@pytest.mark.parametrize(
    ("count", "parts"), [(1, [(1, 1)]), (3, [(1, 3)]), (5, [(1, 2), (3, 5)]), (19, 9), (20, 10), (21, 10)]
)
def test_a_short_run_has_fewer_parts(row: Result, count: int, parts: int | list[tuple[int, int]]) -> None:
    points = curve(longer(row, count))
    found = [(p.first, p.last) for p in points]
    assert (found if isinstance(parts, list) else len(found)) == parts
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(found)) and found[-1][1] == count
    assert points[-1].so_far.score is not None and points[-1].so_far.score.n == count


def test_samples_that_were_not_scored_keep_their_place(row: Result) -> None:
    samples = tuple(replace(s, observed=None) if s.position in (1, 2, 4) else s for s in row.run.samples)
    points = curve(replace(row, run=replace(row.run, samples=samples)))
    assert points[0].here.score is None and points[0].here.difference is None
    assert points[1].here.score is not None and points[1].here.score.n == 1
    assert points[1].here.score.mean == 0 and points[-1].last == COUNT


def test_the_tables_appear_only_where_a_run_learned(logs: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["report", str(logs), "-o", str(tmp_path / "board.md")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "board.md").read_text()
    assert "BFCL-V3, learning curve" in done.output and "## BFCL-V3, learning curve" in text
    assert "by similarity to the bank" not in done.output  # no run had a bank
    assert "| mockllm/scripted learner | 3-4 | 2 | 50.0 [" in text
    plain = [run for run in read_runs(logs) if run.solver == "baseline"]
    roles = [table.role for table in make_document(Reading(tuple(plain))).tables]
    assert not curve(leaderboard(plain)[0]) and "learning" not in roles
