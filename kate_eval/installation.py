"""Environments beside ours, for software that ours must not hold: made once, by one process at a time.

AppWorld's engine has one (appworld/provision.py), vLLM another (endpoints/serve/environment.py), the trainers
a third (trainers/environment.py).
"""

import contextlib
import os
import shutil
import subprocess
import time
import venv
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from kate_eval.errors import InstallationError

Say = Callable[[str], None]
"""Shows a line of progress."""
CACHE_VARIABLE = "KATE_EVAL_CACHE"
SAY_SECONDS = 10
_KEPT_LINES = 15


def cache() -> Path:
    """The cache folder: $KATE_EVAL_CACHE, or the user's."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return (Path(chosen) if chosen else platformdirs.user_cache_path("kate-eval")).expanduser().absolute()


@contextlib.contextmanager
def alone(home: Path, say: Say) -> Iterator[None]:
    """Let no other set-up work below a folder meanwhile; wait for one that does."""
    lock = FileLock(home / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("Another set-up is running; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def create(folder: Path) -> None:
    """Make an empty environment with pip, for the Python that runs this.

    Raises:
        InstallationError: this Python can't make one.
    """
    try:
        venv.create(folder, with_pip=True, symlinks=True)
    except subprocess.CalledProcessError as ex:
        shutil.rmtree(folder, ignore_errors=True)
        raise InstallationError(
            f"No virtual environment could be made in {folder}: this Python comes without ensurepip ({ex}). "
            "On Debian and Ubuntu: apt install python3-venv"
        ) from ex


def run(
    command: list[str],
    environment: dict[str, str],
    remedy: str,
    hear: Callable[[str], bool] = lambda line: False,
) -> None:
    """Run a command of another environment.

    Args:
        command: what to run.
        environment: all of its environment.
        remedy: what to do if it fails.
        hear: is given each line as it is written, of both outputs: read apart, one could block the other.
            A line for which it returns True says nothing about a failure.

    Raises:
        InstallationError: it failed.
    """
    said: deque[str] = deque(maxlen=_KEPT_LINES)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
    ) as process:
        for line in process.stdout or ():
            if not hear(line.rstrip()):
                said.append(line)
    if process.returncode:
        raise InstallationError(
            f"{_named(command)} failed (exit code {process.returncode}): {''.join(said)}{remedy}"
        )


def progress(say: Say) -> Callable[[str], bool]:
    """A listener for `run` that says now and then what pip is at."""
    last = time.monotonic()

    def hear(line: str) -> bool:
        nonlocal last
        if time.monotonic() - last >= SAY_SECONDS or line.startswith("Installing"):
            last = time.monotonic()
            say(f"  {line.strip()[:100]}")
        return line.lstrip().startswith(("Collecting", "Downloading", "Using cached", "Obtaining"))

    return hear


def _named(command: list[str]) -> str:
    """A command in a message: a program given in full is only named."""
    return f"{command[0]} -c ..." if "-c" in command else " ".join(command[:4]) + " ..."
