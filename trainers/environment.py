"""The trainers' environment: torch and TRL are never the harness's own, and both are in it.

A trainer runs where it is called if torch and TRL are there, else with $KATE_EVAL_TRAIN_PYTHON, else in an
environment of ours, which is made first: torch's GPU build where there is a GPU, else its CPU build with the
packages of cpu.txt, which were tested together and need not be resolved.
"""

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from kate_eval import installation
from kate_eval.endpoints.serve.environment import has_gpu, variables
from kate_eval.errors import InstallationError
from kate_eval.installation import Say
from kate_eval.trainers.interpreter import VARIABLE, Wanted, check, named

CPU_REQUIREMENTS = Path(__file__).parent / "cpu.txt"
GPU_PACKAGES = ("torch", "trl", "peft", "transformers", "datasets", "accelerate", "matplotlib", "tensorboard")
"""Asked for where there is a GPU, in cpu.txt's versions; pip finds what they need."""
NEEDED = ("torch", "trl")
SAY_SECONDS = 10
_STAMP = ".done"
_CHECK = "import torch, trl, kate_eval; print(torch.version.cuda or torch.version.hip or 'cpu')"
_REMEDY = (
    "Check the network to the package index, or make an environment with torch, TRL and kate-eval yourself "
    f"and name its Python in {VARIABLE}"
)
_CPU_TORCH = (
    "The package index served torch's GPU build. Name one that has the CPU build in PIP_INDEX_URL or "
    "PIP_EXTRA_INDEX_URL (PyTorch's own has an index of CPU builds), and run this again"
)


def here() -> bool:
    """Whether this environment has what the trainers need."""
    return all(importlib.util.find_spec(name) is not None for name in NEEDED)


def require(say: Say) -> None:
    """Return where the trainers can run; elsewhere run this same command in their environment instead.

    The process becomes the other one: signals reach it, and its exit code is the command's.

    Raises:
        ConfigurationError: the environment that is named is none, or can't train.
        InstallationError: ours can't be made.
    """
    if here():
        return
    python = named()
    if python is not None:
        check(python, _wanted())
    else:
        python = own(say)
    if os.environ.get(_WITHIN):
        raise InstallationError(f"{sys.executable} has no torch and TRL, though it should: {_REMEDY}")
    become(python, sys.argv[1:])


_WITHIN = "KATE_EVAL_TRAINING"
"""Set in the trainers' environment, so that a broken one is not entered again and again."""


def become(python: Path, arguments: Sequence[str]) -> NoReturn:
    """Go on as `kate ARGUMENTS` of another environment."""
    sys.stdout.flush()
    sys.stderr.flush()
    command = [str(python), "-m", "kate_eval.trainers", *arguments]
    os.execve(python, command, {**variables(), _WITHIN: "1"})


def _wanted() -> Wanted:
    """How versions must begin: TRL's and kate-eval's as tested together, torch's by its first number."""
    pins = dict(pin.split("==") for pin in _pins() if pin.partition("==")[0] in NEEDED)
    return {
        "python": ("3.11", "3.12"),
        "torch": (pins["torch"].partition(".")[0],),
        "trl": (pins["trl"].rpartition(".")[0],),
        "kate-eval": (distribution("kate-eval").version,),
    }


@dataclass(frozen=True)
class Build:
    """What an environment is made of.

    Attributes:
        name: of its folder.
        steps: pip's arguments, one installation after the other.
        size: of the environment, for people.
    """

    name: str
    steps: tuple[tuple[str, ...], ...]
    size: str


def own(say: Say) -> Path:
    """The Python of our environment, which is made if it is not there.

    Raises:
        InstallationError: it can't be made.
    """
    home = installation.cache() / "train"
    home.mkdir(parents=True, exist_ok=True)
    pins = _constraints(home)
    build = _build(has_gpu(), source(distribution("kate-eval")), pins)
    folder = home / f"{build.name}-py{sys.version_info[0]}.{sys.version_info[1]}"
    wanted = _stamp(build, pins)
    with installation.alone(home, say):
        stamp = folder / _STAMP
        if not (stamp.is_file() and stamp.read_text().strip() == wanted):
            _supported(build)
            _install(build, folder, say)
            stamp.write_text(wanted + "\n")
    return folder / "bin" / "python"


def _build(gpu: bool, ours: tuple[str, ...], pins: Path) -> Build:
    limited = ("-c", str(pins))
    if gpu:
        chosen = [pin for pin in _pins() if pin.partition("==")[0] in GPU_PACKAGES]
        return Build("gpu", ((*limited, *chosen, *ours),), "8 GB")
    return Build("cpu", (("--no-deps", "-r", str(CPU_REQUIREMENTS)), (*limited, *ours)), "2 GB")


def source(ours: Distribution) -> tuple[str, ...]:
    """What pip is asked for to install this same kate-eval: editable from its source, its wheel, its version.

    Raises:
        InstallationError: it was installed from a file that is gone.
    """
    text = ours.read_text("direct_url.json")
    if not text:
        return (f"kate-eval=={ours.version}",)
    origin: dict[str, Any] = json.loads(text)
    url = origin["url"]
    if "vcs_info" in origin:
        vcs = origin["vcs_info"]
        return (f"kate-eval @ {vcs['vcs']}+{url}@{vcs['commit_id']}",)
    if not url.startswith("file:"):
        return (f"kate-eval @ {url}",)
    path = Path(unquote(urlsplit(url).path))
    if not path.exists():
        raise InstallationError(
            f"kate-eval was installed from {path}, which is gone; the trainers' environment needs it too. "
            f"Install kate-eval from where it is now, or name an environment that has all: {VARIABLE}"
        )
    return ("--editable", str(path)) if origin.get("dir_info", {}).get("editable") else (str(path),)


def _pins() -> list[str]:
    return [line.strip() for line in CPU_REQUIREMENTS.read_text().splitlines() if line[:1] not in ("#", "")]


def _constraints(home: Path) -> Path:
    """cpu.txt's versions, for what kate-eval itself needs; torch's build is not told by its version."""
    file = home / "constraints.txt"
    new = home / f".constraints-{os.getpid()}.txt"
    new.write_text("\n".join(_pins()) + "\n")
    return new.replace(file)


def _stamp(build: Build, pins: Path) -> str:
    """Changes with what is installed: packages, pins, and what kate-eval itself needs."""
    needs = sorted(distribution("kate-eval").requires or ())
    version = distribution("kate-eval").version
    return hashlib.sha256(f"{build.steps}{pins.read_text()}{needs}{version}".encode()).hexdigest()


def _supported(build: Build) -> None:
    machine = (platform.system(), platform.machine())
    if build.name == "cpu" and (machine != ("Linux", "x86_64") or sys.version_info[:2] != (3, 11)):
        raise InstallationError(
            "The trainers' packages are pinned for Python 3.11 on Linux and x86_64; this is Python "
            f"{platform.python_version()} on {' '.join(machine)}. Make an environment with torch, TRL and "
            f"kate-eval yourself and name its Python in {VARIABLE}"
        )


def _install(build: Build, folder: Path, say: Say) -> None:
    say(f"Installing the trainers ({build.name}) into {folder} (once; about {build.size}, several minutes).")
    shutil.rmtree(folder, ignore_errors=True)
    installation.create(folder)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    for step in build.steps:
        installation.run([*pip, *step], variables(), _REMEDY, installation.progress(say))
    say("Checking that it starts.")
    found: list[str] = []

    def hear(line: str) -> bool:
        found.append(line)
        return False

    installation.run([str(python), "-c", _CHECK], variables(), _REMEDY, hear)
    if build.name == "cpu" and found[-1:] != ["cpu"]:
        raise InstallationError(f"{folder} has torch for {found[-1]}. {_CPU_TORCH}")
    installation.run([str(python.with_name("kate")), "bfcl", "setup"], variables(), _REMEDY)
