"""The demo: the main job end to end without GPU, key or network. The model is simulated, and says so."""

import sys
from pathlib import Path

from inspect_ai import Task
from rich.console import Console

from kate_eval.bfcl.categories import MULTI_TURN
from kate_eval.bfcl.data import load
from kate_eval.errors import ConfigurationError

MODEL = "simulated/default"
MINI = "mini_test"
SOLVERS = ("nearest", "baseline", "knowledge", "width", "kate")


def run_demo(entries: int, tasks: int, log_dir: Path) -> None:
    """Run each solver on test entries of BFCL's multi-turn categories, and on the mini world's test split.

    Args:
        entries: BFCL test entries of each category, 1 to 100.
        tasks: tasks of the mini world's test split, 1 to 12.
        log_dir: where the logs go.

    Raises:
        ConfigurationError: a number is out of range.
        DatasetError: bfcl-eval, or AppWorld's mini world, is not set up (the message names the remedy).
    """
    from kate_eval.tasks.appworld import appworld
    from kate_eval.tasks.bfcl import bfcl

    if not 1 <= entries <= 100:
        raise ConfigurationError(f"--entries {entries}: each category has 1 to 100 test entries")
    chosen = [entry.id for category in MULTI_TURN for entry in list(load([category], "test"))[:entries]]
    mini = appworld(split=MINI)
    if not 1 <= tasks <= len(mini.dataset):
        raise ConfigurationError(f"--tasks {tasks}: {MINI} has 1 to {len(mini.dataset)} tasks")
    plays = [
        ("BFCL-V3", bfcl(categories="multi_turn", split="test"), chosen),
        ("AppWorld (mini world)", mini, [str(sample.id) for sample in mini.dataset][:tasks]),
    ]
    console = Console()
    console.print(
        f"Playing {len(chosen)} BFCL-V3 multi-turn test entries and {tasks} tasks of "
        f"AppWorld's mini world with {len(SOLVERS)} solvers. The model is [bold]simulated[/bold] "
        "(no network, no GPU); environments and checkers are the real ones."
    )
    for title, task, samples in plays:
        for name in SOLVERS:
            console.rule(f"{title}: {name}")
            _play(task, name, samples, log_dir)
    console.print(f"Why each step was taken: inspect view --log-dir {log_dir}", highlight=False)


def _play(task: Task, solver: str, samples: list[str], log_dir: Path) -> None:
    from inspect_ai import eval as run

    from kate_eval._registry import SOLVERS as FACTORIES

    run(
        task,
        solver=FACTORIES[solver](),
        model=MODEL,
        sample_id=samples,
        log_dir=str(log_dir),
        display="rich" if sys.stdout.isatty() else "plain",
        retry_on_error=2,
        max_samples=32,
        max_connections=100,
        log_realtime=False,
    )
