"""Addresses of samples in Inspect's viewer."""

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from kate_eval.compare.side import Attempt

VIEWER = "http://127.0.0.1:7575"
"""Where `inspect view` listens unless it is told otherwise."""


def path_of(log: str) -> Path:
    """A log's file, as Inspect names it, as a path."""
    return Path(log.removeprefix("file://"))


def common_folder(logs: Iterable[str]) -> Path:
    """The folder below which all these logs are: what `inspect view --log-dir` must be given."""
    return Path(os.path.commonpath([path_of(log).parent for log in logs]))


def sample_link(attempt: Attempt, folder: Path, viewer: str) -> str:
    """The address of a sample in the viewer of a folder."""
    log = quote(path_of(attempt.log).relative_to(folder).as_posix())
    sample = f"{quote(attempt.entry, safe='')}/{attempt.epoch}"
    return f"{viewer.rstrip('/')}/#/logs/{log}/samples/sample/{sample}/"
