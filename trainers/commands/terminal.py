"""What the trainers' commands show people."""

from rich.console import Console

from kate_eval.trainers.processes import is_first

console = Console()


def say(line: str) -> None:
    """Show a line of progress, in the first of a run's processes."""
    if is_first():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
