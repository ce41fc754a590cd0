"""What the trainers' commands show people."""

import os

from rich.console import Console

console = Console()


def say(line: str) -> None:
    """Show a line of progress, in the first of a run's processes."""
    if os.environ.get("RANK", "0") == "0":
        console.print(line, highlight=False, markup=False, soft_wrap=True)
