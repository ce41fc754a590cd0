"""What commands show people: lines as they are, whatever marks a path or a log's text holds."""

from rich.console import Console

console = Console()


def say(line: str) -> None:
    """Show a line; nothing in it is markup, and it is not broken."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)
