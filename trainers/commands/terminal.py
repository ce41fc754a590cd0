"""What the trainers' commands show people."""

from kate_eval import terminal
from kate_eval.trainers.processes import is_first

console = terminal.console


def say(line: str) -> None:
    """Show a line of progress, in the first of a run's processes."""
    if is_first():
        terminal.say(line)
