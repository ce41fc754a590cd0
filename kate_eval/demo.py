"""The demo: the main job end to end without GPU, key or network. The model is simulated, and says so."""

import sys
from pathlib import Path

from rich.console import Console

from kate_eval.bfcl.categories import MULTI_TURN
from kate_eval.bfcl.data import load
from kate_eval.errors import ConfigurationError

MODEL = "simulated/default"
SOLVERS = ("nearest", "baseline", "knowledge", "width", "kate")


def run_demo(entries: int, log_dir: Path) -> None:
    """Run each solver on the first test entries of the four multi-turn categories.

    Args:
        entries: test entries of each category, 1 to 100.
        log_dir: where the logs go.

    Raises:
        ConfigurationError: `entries` is out of range.
    """
    from inspect_ai import eval as run

    from kate_eval._registry import SOLVERS as FACTORIES
    from kate_eval.tasks.bfcl import bfcl

    if not 1 <= entries <= 100:
        raise ConfigurationError(f"--entries {entries}: each category has 1 to 100 test entries")
    console = Console()
    chosen = [entry.id for category in MULTI_TURN for entry in list(load([category], "test"))[:entries]]
    console.print(
        f"Playing {len(chosen)} BFCL-V3 multi-turn test entries with {len(SOLVERS)} solvers. The model is "
        "[bold]simulated[/bold] (no network, no GPU); environments and checkers are the real ones."
    )
    for name in SOLVERS:
        console.rule(name)
        run(
            bfcl(categories="multi_turn", split="test"),
            solver=FACTORIES[name](),
            model=MODEL,
            sample_id=chosen,
            log_dir=str(log_dir),
            display="rich" if sys.stdout.isatty() else "plain",
            retry_on_error=2,
            max_samples=32,
            max_connections=100,
            log_realtime=False,
        )
    console.print(f"Why each step was taken: inspect view --log-dir {log_dir}", highlight=False)
