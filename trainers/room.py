"""Whether a folder may be written to: what is there and isn't ours is in the way, and is named."""

import re
from pathlib import Path

from kate_eval.errors import TrainingError

_NAMED = 3
"""Files that a message names at most."""


def require_room(folder: Path, own: str) -> None:
    """Check that a folder is not there, is empty, or holds only what an earlier run of ours left.

    Args:
        folder: to write.
        own: pattern of the names that are ours.

    Raises:
        TrainingError: something is in the way.
    """
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"{folder} is a file: choose another -o")
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    foreign = [name for name in names if not re.fullmatch(own, name)]
    if foreign:
        more = f" and {len(foreign) - _NAMED} more" if len(foreign) > _NAMED else ""
        raise TrainingError(
            f"{folder} holds other files, which would be in the way: {', '.join(foreign[:_NAMED])}{more}. "
            "Choose another -o, or remove them"
        )
