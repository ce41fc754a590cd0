"""One virtual environment a peer, built when missing, under .bench/ (git-ignored).

kate-eval's is an editable install of this checkout. The official package comes with all its
dependencies except CUDA torch (requirements/official.txt). inspect_evals clones its data at run time;
the wheel of bfcl-eval carries the same bytes, so its cache is filled from there.
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / ".bench"
WORKLOAD = BENCH / "workload.json"
INSPECT_EVALS_CACHE = BENCH / "inspect_evals_cache"
INSPECT_EVALS = ("inspect-evals[bfcl]==0.26.0", "openai>=2.0")
LOCKED = ("--no-deps", "--require-hashes", "-r")
BFCL_EVAL = (*LOCKED, "kate_eval/bfcl/requirements.txt")

RECIPES: dict[str, Sequence[Sequence[str]]] = {
    "kate": ((*LOCKED, "requirements/base.txt"), ("--no-deps", "-e", "."), BFCL_EVAL),
    "official": ((*LOCKED, "requirements/official.txt"), BFCL_EVAL),
    "inspect_evals": (INSPECT_EVALS,),
}
"""Environment -> the pip installs that make it, in order."""


def python_of(name: str) -> Path:
    """The interpreter of an environment."""
    return BENCH / "env" / name / "bin" / "python"


def build(name: str) -> None:
    """Make the environment unless it is there."""
    done = BENCH / "env" / name / "complete"
    if done.exists():
        return
    if sys.version_info[:2] not in {(3, 11), (3, 12)}:
        raise SystemExit(f"bfcl-eval's pins need Python 3.11 or 3.12; this is {sys.version.split()[0]}")
    print(f"building the environment {name!r} (minutes, once) ...", flush=True)
    venv.create(done.parent, clear=True, with_pip=True)
    for arguments in RECIPES[name]:
        command = [str(python_of(name)), "-m", "pip", "install", "--quiet", *arguments]
        if subprocess.run(command, cwd=ROOT).returncode:
            raise SystemExit(f"this failed: {' '.join(command)}")
    done.touch()


def write_workload(python: Path) -> None:
    """Write the workload file, in an environment that has kate-eval."""
    script = ROOT / "benchmarks" / "workload.py"
    subprocess.run([python, script, WORKLOAD], check=True, env=clean_environment())


def seed_inspect_evals(python: Path) -> None:
    """Fill inspect_evals' cache from the bfcl-eval wheel installed for the interpreter."""
    target = INSPECT_EVALS_CACHE / "BFCL"
    shutil.rmtree(target, ignore_errors=True)
    find = "import importlib.util as u; print(u.find_spec('bfcl_eval').submodule_search_locations[0])"
    found = subprocess.run([python, "-c", find], check=True, capture_output=True, text=True)
    package = Path(found.stdout.strip())
    shutil.copytree(package / "data", target)
    source = package / "eval_checker" / "multi_turn_eval" / "func_source_code"
    (target / source.name).mkdir()
    for file in source.glob("*.py"):
        # The same rewrite as in inspect_evals' own downloader.
        text = file.read_text(encoding="utf-8").replace(
            "from bfcl_eval.eval_checker.multi_turn_eval.func_source_code.", "from "
        )
        (target / source.name / file.name).write_text(text, encoding="utf-8")


def clean_environment() -> dict[str, str]:
    """This process's variables without those that would change what the peers do."""
    dropped = ("INSPECT_", "OPENAI_", "BFCL_", "MOCK_", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
