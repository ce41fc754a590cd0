"""Plays one part of a task: each worker of a cluster runs it with its number, into a folder that all share.

python examples/scale/shard.py bfcl 0 4 --log-dir logs/run -- --solver kate --model kate/NAME
kate report logs/run                                            # once all four have ended: one row

Part I of N has every Nth sample, so that categories and long entries are dealt out evenly. What follows the
-- goes to `inspect eval-set`, which plays only what is missing when the same command is run again.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from inspect_ai import Task

from kate_eval.tasks.appworld import appworld
from kate_eval.tasks.bfcl import bfcl

TASKS: dict[str, Callable[..., Task]] = {"bfcl": bfcl, "appworld": appworld}


def part(task: str, arguments: dict[str, Any], index: int, count: int) -> list[str]:
    """The ids of a part's samples, in the dataset's order."""
    ids = [str(sample.id) for sample in TASKS[task](**arguments).dataset]
    return ids[index::count]


def task_arguments(options: Sequence[str]) -> dict[str, Any]:
    """What -T says among options for Inspect; lists are comma-separated, as there."""
    told = [value for flag, value in pairwise(options) if flag == "-T"]
    pairs = [text.partition("=") for text in told]
    return {name: yaml.safe_load(value) for name, _, value in pairs}


def command(task: str, index: int, count: int, log_dir: str, options: Sequence[str]) -> list[str]:
    """The command that plays a part."""
    words = [word for option in options for word in option.split("=", 1)]
    if {"--limit", "--sample-id"} & set(words):
        raise SystemExit("--limit and --sample-id choose samples, and so does a part: leave them out")
    if any(text.rpartition("/")[2] == "online" for flag, text in pairwise(words) if flag == "--solver"):
        raise SystemExit("online learns from its samples one after another: it can't be split")
    ids = part(task, task_arguments(options), index, count)
    if not ids:
        raise SystemExit(f"Part {index} of {count} is empty: the task has fewer samples. Use fewer workers.")
    inspect = str(Path(sys.executable).with_name("inspect"))
    return [
        *(inspect, "eval-set", f"kate_eval/{task}", *options),
        *("--sample-id", ",".join(ids), "--metadata", f"shards={count}"),
        *("--log-dir", f"{log_dir.rstrip('/')}/part-{index}-of-{count}"),
    ]


def main() -> int:
    """Play a part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("index", type=int, help="from 0")
    parser.add_argument("count", type=int)
    parser.add_argument("--log-dir", required=True, help="a folder, or a URL such as s3://bucket/run")
    parser.usage = "%(prog)s TASK INDEX COUNT --log-dir FOLDER -- OPTIONS OF INSPECT EVAL-SET"
    here = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    told, options = parser.parse_args(sys.argv[1:here]), sys.argv[here + 1 :]
    if not 0 <= told.index < told.count:
        parser.error(f"the parts of {told.count} are numbered 0 to {told.count - 1}")
    return subprocess.run(
        command(told.task, told.index, told.count, told.log_dir, options), check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
