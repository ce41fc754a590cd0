"""A run that is split over workers: every sample is dealt once, and the report shows one row."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from kate_eval.report.read import read_runs
from kate_eval.solvers.kate import baseline
from kate_eval.tasks.bfcl import bfcl

FILE = Path(__file__).parents[1] / "examples/scale/shard.py"
TASK = {"categories": "multi_turn_base,multi_turn_long_context"}


@pytest.fixture(scope="module")
def shard() -> Any:
    spec = importlib.util.spec_from_file_location("shard", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_sample_is_dealt_once_and_categories_evenly(shard: Any) -> None:
    parts = [shard.part("bfcl", TASK, index, 3) for index in range(3)]
    every = [str(sample.id) for sample in bfcl(**TASK).dataset]
    assert sorted(id for part in parts for id in part) == sorted(every)
    long = [sum("long_context" in id for id in part) for part in parts]
    assert max(long) - min(long) <= 1


@pytest.mark.parametrize(
    "options", [["--limit", "4"], ["--limit=4"], ["--sample-id=a"], ["--solver=kate_eval/online"]]
)
def test_what_chooses_samples_or_learns_in_order_is_refused(shard: Any, options: list[str]) -> None:
    with pytest.raises(SystemExit, match=r"leave them out|can't be split"):
        shard.command("bfcl", 0, 2, "logs", options)


def test_the_command_plays_the_part_of_the_task_that_is_asked_for(shard: Any) -> None:
    options = ["--solver", "kate", "-T", "categories=multi_turn_base", "-T", "split=train"]
    made = shard.command("bfcl", 1, 50, "s3://bucket/run/", options)
    assert made[1:3] == ["eval-set", "kate_eval/bfcl"] and made[-1] == "s3://bucket/run/part-1-of-50"
    assert made[made.index("--sample-id") + 1] == "multi_turn_base_2,multi_turn_base_102"
    assert made[made.index("--metadata") + 1] == "shards=50"


def play(run: Any, first: int, last: int, shards: int = 2) -> None:
    ids = [f"multi_turn_base_{number}" for number in range(first, last, 2)]
    run(bfcl(), "simulated/default", baseline(), sample_id=ids, metadata={"shards": shards})


def test_parts_are_one_row(run: Any, tmp_path: Path) -> None:
    play(run, 1, 7)
    play(run, 7, 11)
    [row] = read_runs(tmp_path / "logs")
    assert (row.expected, len(row.samples), row.status) == (5, 5, "success")


def test_parts_with_a_sample_in_common_or_of_other_counts_are_not(run: Any, tmp_path: Path) -> None:
    play(run, 1, 7)
    play(run, 5, 9)
    play(run, 21, 23, shards=3)
    assert sorted(len(found.samples) for found in read_runs(tmp_path / "logs")) == [1, 2, 3]
