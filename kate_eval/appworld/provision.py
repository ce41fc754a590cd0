"""Set-up: the engine's environment, a world's data, the agents' copy without ground truth, demonstrations.

Each stage leaves a stamp when it is whole, so that a run that was interrupted goes on where it stopped.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from kate_eval import installation
from kate_eval.appworld import data, places, record
from kate_eval.appworld.stamp import STAMP, Stamp, content, files_hash, read_stamp, write_stamp
from kate_eval.errors import DatasetError, unknown
from kate_eval.installation import Say

TASKS = {"train": 1, "dev": 1, "test_normal": 168, "test_challenge": 417}
"""Split -> how many tasks it has at least."""
APPS = 12
AGAIN = "Set it up again: kate appworld setup --force (with --mini for the mini world)"
CONNECT_SECONDS = 10
STALL_SECONDS = 60
_ONLINE = (
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "ssl_cert_file",
    "ssl_cert_dir",
    "requests_ca_bundle",
    "curl_ca_bundle",
    "home",
    "xdg_config_home",
    "xdg_cache_home",
)
"""What installing and downloading need besides, in any case; and pip's own settings (PIP_...)."""
# The engine's own download waits for ever and reports a failure by printing it. Its requests take no notice
# of the socket's default, so they are given a time limit of their own.
_DOWNLOAD = """
import functools, socket, sys
import requests
from appworld import download
connect, stall = float(sys.argv[1]), float(sys.argv[2])
socket.setdefaulttimeout(stall)
try:
    requests.head(download.S3_BASE_URL, timeout=connect)
    requests.get = functools.partial(requests.get, timeout=stall)
    download.download_data()
except requests.RequestException as ex:
    sys.exit(f"{download.S3_BASE_URL} can't be reached: {ex}")
"""
_STARTS = "import importlib.metadata as m, appworld.apps.spotify; print(m.version('appworld'))"
_RUNS = """
import importlib, importlib.metadata as m
import IPython, appworld.environment, pytest
from appworld.apps import get_all_apps
for app in get_all_apps():
    importlib.import_module(f"appworld.apps.{app}.apis")
print(m.version("appworld"))
"""


def provision(world: str, force: bool, say: Say) -> None:
    """Set up the engine and a world; what is there already stays, unless `force`.

    Args:
        world: "real" or "mini".
        force: make the world's data anew, and the engine's environment if a thorough check finds it damaged.
        say: shows a line of progress.

    Raises:
        DatasetError: what was made is not whole; the message names the remedy.
        InstallationError: a stage failed; likewise.
        EngineError: demonstrations could not be recorded.
    """
    home = places.cache()
    home.mkdir(parents=True, exist_ok=True)
    with installation.alone(home, say):
        _engine(_RUNS if force else _STARTS, say)
        _world(world, force, say)
        anyio.run(record.record, world, record.RECORDED[world], say)


def _world(world: str, force: bool, say: Say) -> None:
    """A world's data, made anew where it is not what set-up left or not what this code is for."""
    folder = places.cache() / world
    stamp = read_stamp(folder)
    if force or not stamp or stamp.version != places.wanted_version(world) or not _unchanged(world, stamp):
        anew = force or (stamp is not None and not _whole(world, stamp))
        # An older stamp stays until the new one: whoever is interrupted here, finds that it does not fit.
        folder.mkdir(exist_ok=True)
        (_mini if world == "mini" else _download)(folder, anew, say)
        verify(world)
        _read_only(places.full_data(world))
        _agents_copy(world)
        write_stamp(folder, _stamp(world))
    say(f"AppWorld's {world} tasks are set up in {folder}.")


def _unchanged(world: str, stamp: Stamp) -> bool:
    return stamp.databases == places.databases_hash(world)


def _whole(world: str, stamp: Stamp) -> bool:
    """Whether the full data still has the content that the stamp names, and the version that is wanted."""
    # The big world's databases are stamped by their times: a copy of them is whole, but has others.
    same = _unchanged(world, stamp) if world == "mini" else stamp.data_hash == _data_hash(world)
    return same and stamp.version == places.wanted_version(world)


def _stamp(world: str) -> Stamp:
    """The stamp of what is there now."""
    version = str(_marker()["version"]) if world == "mini" else places.DB_VERSION
    return Stamp(version=version, data_hash=_data_hash(world), databases=places.databases_hash(world))


def _data_hash(world: str) -> str:
    if world == "mini":
        return str(_marker()["data_hash"])
    folder = places.full_data(world)
    return files_hash([folder / "datasets", folder / "base_dbs"], content)


def _marker() -> dict[str, Any]:
    """What the mini world's builder says of its build."""
    found: dict[str, Any] = json.loads((places.full_data("mini") / "MINI.json").read_bytes())
    return found


def _engine(check: str, say: Say) -> None:
    """The engine's environment: Python packages pinned by hash, and the apps unpacked."""
    folder = places.engine_folder()
    wanted = hashlib.sha256(places.REQUIREMENTS.read_bytes()).hexdigest()
    stamp = folder / STAMP
    if stamp.is_file() and stamp.read_text().strip() == wanted and _works(check):
        return
    say(f"Installing the AppWorld engine {places.APPWORLD_VERSION} into {folder} (about a minute).")
    shutil.rmtree(folder, ignore_errors=True)
    installation.create(folder)
    python = str(places.engine_python())
    # The list is complete: resolving again could only ask for a release newer than what it pins.
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    locked = ["--no-deps", "--require-hashes", "-r", str(places.REQUIREMENTS)]
    installation.run([*pip, *locked], _online(folder), "Check the network to the package index.")
    say("Unpacking the engine's apps.")
    install = [python, "-m", "appworld.cli", "install"]
    installation.run(install, _environment(folder), "The package may be damaged: run the command again.")
    if not _works(_RUNS):
        raise DatasetError(
            f"The AppWorld engine in {folder} does not start. Remove the folder and try again."
        )
    stamp.write_text(wanted + "\n")


def _works(check: str) -> bool:
    with contextlib.suppress(OSError):
        done = subprocess.run(
            [places.engine_python(), "-c", check],
            capture_output=True,
            text=True,
            check=False,
            env=_environment(places.engine_folder()),
        )
        return done.returncode == 0 and done.stdout.strip() == places.APPWORLD_VERSION
    return False


def _environment(folder: Path) -> dict[str, str]:
    """The environment of engine commands on a root: nothing of theirs goes into the user's home."""
    own = {"APPWORLD_CACHE": str(places.engine_folder() / "cache"), "APPWORLD_ROOT": str(folder)}
    # Files are UTF-8 whatever the language of messages is.
    language = {"LANG": os.environ["LANG"], "PYTHONUTF8": "1"} if "LANG" in os.environ else {}
    return places.engine_environment(folder) | language | own


def _online(folder: Path) -> dict[str, str]:
    """The environment of commands that use the network: the user's proxies, certificates and pip settings."""
    needed = {
        name: value
        for name, value in os.environ.items()
        if name.lower() in _ONLINE or name.startswith("PIP_")
    }
    return _environment(folder) | needed


def _mini(folder: Path, force: bool, say: Say) -> None:
    """Build the mini world on the engine, each of its tasks verified by it."""
    say("Building the mini world; the engine verifies each of its tasks (about a minute).")

    def hear(line: str) -> bool:
        step = _progress(line)
        if step:
            say(f"  {step['progress']} {step.get('done', '')}/{step.get('total', '')}")
        return step is not None

    command = [str(places.engine_python()), "-m", "kate_engine.mini", str(folder)]
    remedy = f"The mini world could not be built in {folder}."
    installation.run([*command, "--force"] if force else command, _environment(folder), remedy, hear)


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
    seconds = [str(CONNECT_SECONDS), str(STALL_SECONDS)]
    command = [str(places.engine_python()), "-u", "-c", _DOWNLOAD, *seconds]

    def hear(line: str) -> bool:
        say(f"  {line}")
        return False

    installation.run(command, _online(aside), remedy, hear)
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
    """The data without ground truth; copies, so that what befalls one file does not befall the other."""
    source, target = places.full_data(world), places.agents_data(world)
    aside = target.with_name("data.partial")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(source, aside, ignore=shutil.ignore_patterns("ground_truth", "__pycache__"))
    _read_only(aside)
    shutil.rmtree(target, ignore_errors=True)
    aside.replace(target)


def _read_only(folder: Path) -> None:
    """Nobody writes to the files; the folders stay writable, so that set-up can replace them."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o444)


def run_official(world: str, experiments: Path, arguments: Sequence[str]) -> int:
    """Run a command of the engine's own on an experiments folder and a world's data; its exit code.

    Raises:
        DatasetError: the engine or the world is not set up.
        ConfigurationError: the experiment's name is one that the engine can't work on.
    """
    places.require(world)
    outputs = experiments / "outputs"
    outputs.mkdir(parents=True, exist_ok=True)
    for name in arguments:
        if (outputs / name).is_dir():
            places.database_path(Path(name), f"Rename {outputs / name}.")
    if arguments[0] == "evaluate" and len(arguments) > 2 and not arguments[1].startswith("-"):
        found = sorted(path.name for path in outputs.iterdir() if path.is_dir())
        if arguments[1] not in found:
            raise unknown("experiment", arguments[1], found, f"They are the folders in {outputs}.")
        places.world_of(arguments[2])
    with tempfile.TemporaryDirectory(prefix="kate-official-", dir=places.scratch()) as scratch:
        root = Path(scratch)
        (root / "data").symlink_to(places.full_data(world))
        (root / "experiments").symlink_to(experiments.resolve())
        command = [str(places.engine_python()), "-m", "appworld.cli", *arguments, "--root", str(root)]
        return subprocess.run(command, cwd=root, env=_environment(root), check=False).returncode
