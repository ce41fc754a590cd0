"""What the trainers' commands show people."""

import os

from kate_eval import terminal

console = terminal.console


def say(line: str) -> None:
    """Show a line of progress, in the first of a run's processes."""
    if os.environ.get("RANK", "0") == "0":
        terminal.say(line)
