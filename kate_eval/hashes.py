"""Hashes of the texts that a model is shown, for the log."""

import hashlib
from pathlib import Path


def texts_hash(*folders: Path) -> str:
    """SHA-256 over the text files of folders, by name and content: 16 hex digits."""
    digest = hashlib.sha256()
    for file in sorted(file for folder in folders for file in folder.glob("*.txt")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
