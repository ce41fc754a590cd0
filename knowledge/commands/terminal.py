"""What the commands share: where they print, and how they take a path."""

from pathlib import Path

import click
from rich.console import Console

console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
"""What banks hold is printed as it is: ":train:" is no emoji, "[bold]" no markup."""
Folder = click.Path(path_type=Path)
INTERRUPTED = 130
"""The exit code that shells give a command ended by Ctrl-C."""
