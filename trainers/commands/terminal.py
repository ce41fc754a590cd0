"""What the trainers' commands show people."""

from rich.console import Console

console = Console()


def say(line: str) -> None:
    """Show a line of progress."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)
