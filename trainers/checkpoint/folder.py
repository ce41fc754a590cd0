"""Checkpoints on disk: written beside their place and moved there whole, so that one is there or is not."""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from kate_eval.errors import TrainingError
from kate_eval.trainers.checkpoint.card import CARD, CheckpointCard, Score, card_text, load_card
from kate_eval.trainers.checkpoint.readme import readme

_FULL = (errno.ENOSPC, errno.EDQUOT)
WEIGHTS = ("*.safetensors", "*.bin")


def save_checkpoint(folder: Path, card: CheckpointCard, write: Callable[[Path], None]) -> CheckpointCard:
    """Write a checkpoint; what is there is replaced only once the new one is whole.

    Args:
        folder: where it goes.
        card: its card, without the weights' hash.
        write: writes weights, configuration and tokenizer into an empty folder it is given.

    Returns:
        The card as written.

    Raises:
        TrainingError: the disk is full; what was there before is untouched.
    """
    folder = folder.absolute()
    making = folder.with_name(f".{folder.name}.saving")
    shutil.rmtree(making, ignore_errors=True)
    try:
        making.mkdir(parents=True)
        write(making)
        card = card.model_copy(update={"weights_hash": weights_hash(making)})
        (making / "README.md").write_text(readme(card, folder.name), encoding="utf-8")
        (making / CARD).write_text(card_text(card), encoding="utf-8")
        _settle(making)
    except BaseException as ex:  # whatever ends it, half a checkpoint must not stay
        shutil.rmtree(making, ignore_errors=True)
        if (full := disk_is_full(ex)) is not None:
            kept = (
                "the checkpoint that was there before is untouched" if folder.exists() else "nothing is left"
            )
            raise TrainingError(
                f"No room to save {folder} ({full}): {kept}. Free the disk and run the same command again; "
                "it goes on from the last complete step"
            ) from ex
        raise
    _replace(folder, making)
    return card


def disk_is_full(error: BaseException | None) -> str | None:
    """What an error says, if it or what caused it is a full disk: writers of weights wrap the system's."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return str(error)
        if "No space left on device" in str(error) or "os error 28" in str(error):
            return str(error)
        error = error.__cause__ or error.__context__
    return None


def add_scores(folder: Path, scores: Iterable[Score]) -> CheckpointCard:
    """Add scores to a checkpoint's card; one of the same task, solver, metric and log is replaced."""
    card = load_card(folder)
    known = {(s.task, s.solver, s.metric, s.log): s for s in (*card.scores, *scores)}
    card = card.model_copy(update={"scores": tuple(known.values())})
    for name, text in ((CARD, card_text(card)), ("README.md", readme(card, folder.absolute().name))):
        new = folder / f".{name}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(folder / name)
    return card


def weights_hash(folder: Path) -> str:
    """SHA-256 over a checkpoint's weight files, by name and content: 16 hex digits."""
    digest = hashlib.sha256()
    for file in sorted({file for pattern in WEIGHTS for file in folder.glob(pattern)}):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


def _settle(folder: Path) -> None:
    """Have the disk take all of it before it is moved: a later power cut must not leave empty files."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())


def _replace(folder: Path, new: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.replace(old)
    new.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
