"""What a world's set-up has built, kept in a file beside it; says whether that is still there."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

STAMP = ".done"


class Stamp(BaseModel):
    """What set-up has built."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    """Of the data: the mini world's, or the published databases'."""
    data_hash: str
    """Over the data's content, 16 hexadecimal digits."""
    databases: str
    """Over both copies of the base databases, as cheap to compute as the world's size asks for."""


def read_stamp(folder: Path) -> Stamp | None:
    """A world's stamp; None if there is none, or none of this form."""
    try:
        return Stamp.model_validate_json((folder / STAMP).read_bytes())
    except (OSError, ValidationError):
        return None


def write_stamp(folder: Path, stamp: Stamp) -> None:
    """Say that a world is whole."""
    aside = folder / f"{STAMP}.partial"
    aside.write_text(stamp.model_dump_json(indent=1) + "\n", encoding="utf-8")
    aside.replace(folder / STAMP)


def content(file: Path) -> bytes:
    """A file's mark: its bytes."""
    return file.read_bytes()


def times(file: Path) -> bytes:
    """A file's mark where reading takes long: when it was changed."""
    return str(file.stat().st_mtime_ns).encode()


def files_hash(folders: Sequence[Path], mark: Callable[[Path], bytes]) -> str:
    """16 hexadecimal digits over names, sizes and marks of the files in these folders."""
    digest = hashlib.sha256()
    for number, folder in enumerate(folders):
        for file in sorted(path for path in folder.glob("*") if path.is_file()):
            digest.update(f"{number}/{file.name}\0{file.stat().st_size}\0".encode())
            digest.update(hashlib.sha256(mark(file)).digest())
    return digest.hexdigest()[:16]
