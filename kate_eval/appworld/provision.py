"""Set-up: the engine's environment, a world's data, the agents' copy without ground truth. In stages.

Each stage leaves a stamp when it is whole, so that a run that was interrupted goes on where it stopped.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import venv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from kate_eval.appworld import data, places
from kate_eval.errors import DatasetError

Say = Callable[[str], None]
TASKS = {"train": 1, "dev": 1, "test_normal": 168, "test_challenge": 417}
"""Split -> how many tasks it has at least."""
APPS = 12
STAMP = ".done"
AGAIN = "Set it up again: kate appworld setup --force (with --mini for the mini world)"
CONNECT_SECONDS = 10
# The engine's own download waits for ever and reports a failure by printing it.
_DOWNLOAD = """
import socket, sys, urllib.parse
from appworld import download
address = urllib.parse.urlparse(download.S3_BASE_URL)
try:
    socket.create_connection((address.hostname, address.port or 443), timeout=float(sys.argv[1])).close()
except OSError as ex:
    sys.exit(f"{address.hostname} can't be reached: {ex}")
download.download_data()
"""


def provision(world: str, force: bool, say: Say) -> None:
    """Set up the engine and a world; what is there already stays, unless `force`.

    Args:
        world: "real" or "mini".
        force: make the world's data anew (and the engine's environment, if it is damaged).
        say: shows a line of progress.

    Raises:
        DatasetError: a stage failed; the message names the remedy.
    """
    home = places.cache()
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home, say):
        _engine(say)
        folder = home / world
        stamp = folder / STAMP
        if stamp.is_file() and not force:
            say(f"AppWorld's {world} tasks are set up in {folder}.")
            return
        stamp.unlink(missing_ok=True)
        folder.mkdir(exist_ok=True)
        (_mini if world == "mini" else _download)(folder, force, say)
        verify(world)
        _agents_copy(world)
        stamp.write_text("whole\n")
        say(f"AppWorld's {world} tasks are set up in {folder}.")


@contextlib.contextmanager
def _alone(home: Path, say: Say) -> Iterator[None]:
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


def _engine(say: Say) -> None:
    """The engine's environment: Python packages pinned by hash, and the apps unpacked."""
    folder = places.engine_folder()
    wanted = hashlib.sha256(places.REQUIREMENTS.read_bytes()).hexdigest()
    stamp = folder / STAMP
    if stamp.is_file() and stamp.read_text().strip() == wanted and _works():
        return
    say(f"Installing the AppWorld engine {places.APPWORLD_VERSION} into {folder} (about a minute).")
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True, symlinks=True)
    python = str(places.engine_python())
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    _run([*pip, "-r", str(places.REQUIREMENTS)], "Check the network to the package index.")
    say("Unpacking the engine's apps.")
    _run([python, "-m", "appworld.cli", "install"], "The package may be damaged: run the command again.")
    if not _works():
        raise DatasetError(
            f"The AppWorld engine in {folder} does not start. Remove the folder and try again."
        )
    stamp.write_text(wanted + "\n")


def _works() -> bool:
    check = "import importlib.metadata as m, appworld.apps.spotify; print(m.version('appworld'))"
    with contextlib.suppress(OSError):
        done = subprocess.run(
            [places.engine_python(), "-c", check],
            capture_output=True,
            text=True,
            check=False,
            env=_environment(),
        )
        return done.stdout.strip() == places.APPWORLD_VERSION
    return False


def _environment(root: Path | None = None) -> dict[str, str]:
    """The environment of engine commands: nothing of theirs goes into the user's home."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    own = {"APPWORLD_CACHE": str(places.engine_folder() / "cache"), "PYTHONPATH": str(places.ENGINE_CODE)}
    return inherited | own | ({"APPWORLD_ROOT": str(root)} if root else {})


def _run(command: list[str], remedy: str, root: Path | None = None) -> str:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=_environment(root),
    )
    if done.returncode:
        said = "\n".join(done.stdout.strip().splitlines()[-12:])
        raise DatasetError(
            f"{' '.join(command[:4])} ... failed (exit code {done.returncode}): {said}\n{remedy}"
        )
    return done.stdout


def _mini(folder: Path, force: bool, say: Say) -> None:
    """Build the mini world on the engine, each of its tasks verified by it."""
    say("Building the mini world; the engine verifies each of its tasks (about a minute).")
    command = [
        str(places.engine_python()),
        "-m",
        "kate_engine.mini",
        str(folder),
        *(["--force"] if force else []),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_environment(folder)
    ) as process:
        assert process.stderr is not None and process.stdout is not None
        other: list[str] = []
        for line in process.stderr:
            step = _progress(line)
            if step is None:
                other.append(line)
            else:
                say(f"  {step['progress']} {step.get('done', '')}/{step.get('total', '')}")
        process.stdout.read()
    if process.returncode:
        raise DatasetError(f"The mini world could not be built in {folder}:\n{''.join(other[-15:])}")


def _progress(line: str) -> dict[str, Any] | None:
    with contextlib.suppress(ValueError):
        found = json.loads(line)
        if isinstance(found, dict) and "progress" in found:
            return found
    return None


def _download(folder: Path, force: bool, say: Say) -> None:
    """The published task data, by the engine's own code, into a folder aside until it is whole."""
    if (folder / "data").is_dir() and not force:
        return  # an earlier run was interrupted after the download
    aside = folder / "partial"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    say("Downloading AppWorld's task data.")
    remedy = (
        "The task data comes from the internet. Where it can't be reached, copy the data folder of another "
        f"AppWorld set-up to {folder / 'data'} and run this again, or use the mini world: "
        "kate appworld setup --mini"
    )
    _run([str(places.engine_python()), "-c", _DOWNLOAD, str(CONNECT_SECONDS)], remedy, aside)
    if not (aside / "data" / "datasets").is_dir():
        raise DatasetError(f"The download left no data in {aside}. {remedy}")
    shutil.rmtree(folder / "data", ignore_errors=True)
    (aside / "data").replace(folder / "data")
    shutil.rmtree(aside, ignore_errors=True)


def verify(world: str) -> None:
    """Check that a world's data is whole.

    Raises:
        DatasetError: a split, task or database is missing, or of another version.
    """
    folder = places.full_data(world)
    databases = len(list((folder / "base_dbs").glob("*.db")))
    if databases < APPS:
        raise DatasetError(f"{folder / 'base_dbs'} has {databases} of {APPS} databases. {AGAIN}")
    data.load_task.cache_clear()
    for split in places.SPLITS[world]:
        ids = data.task_ids(split)
        if len(ids) < TASKS.get(split, 1):
            raise DatasetError(f"Split {split} has {len(ids)} of {TASKS.get(split, 1)} tasks. {AGAIN}")
        for task_id in ids:
            data.load_task(world, task_id)
            if not (folder / "tasks" / task_id / "dbs").is_dir():
                raise DatasetError(f"Task {task_id} has no databases. {AGAIN}")


def _agents_copy(world: str) -> None:
    """The data without ground truth; files are hard links where the disk allows it."""
    source, target = places.full_data(world), places.agents_data(world)
    aside = target.with_name("data.partial")
    shutil.rmtree(aside, ignore_errors=True)
    hidden = shutil.ignore_patterns("ground_truth", "__pycache__")
    shutil.copytree(source, aside, ignore=hidden, copy_function=_link)
    shutil.rmtree(target, ignore_errors=True)
    aside.replace(target)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def run_official(world: str, experiments: Path, arguments: Sequence[str]) -> int:
    """Run a command of the engine's own on an experiments folder and a world's data; its exit code.

    Raises:
        DatasetError: the engine or the world is not set up.
    """
    places.require(world)
    (experiments / "outputs").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kate-official-") as scratch:
        root = Path(scratch)
        (root / "data").symlink_to(places.full_data(world))
        (root / "experiments").symlink_to(experiments.resolve())
        command = [str(places.engine_python()), "-m", "appworld.cli", *arguments, "--root", str(root)]
        return subprocess.run(command, cwd=root, env=_environment(root), check=False).returncode
