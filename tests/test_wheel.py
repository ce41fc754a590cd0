"""The built wheel in a clean environment: installs, sets itself up, scores gold through registry names."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
SCORE_TWO = """
from inspect_ai import eval
from inspect_ai.solver import SolverSpec
log, = eval("kate_eval/bfcl", model="simulated/perfect", solver=SolverSpec("kate"),
            task_args={"categories": "multi_turn_base"}, limit=2, log_dir="logs", display="none")
print([s.scores["bfcl_verdict"].value for s in log.samples])
"""
MISSING = """
from inspect_ai import eval
try:
    eval("kate_eval/bfcl", model="simulated/perfect", limit=1, display="none")
except Exception as ex:
    print(ex)
"""


def sh(*command: str, cwd: Path) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a new environment `env` that holds the wheel and the base requirements."""
    folder = tmp_path_factory.mktemp("wheel")
    sh(sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT), cwd=folder)
    sh(sys.executable, "-m", "venv", "env", cwd=folder)
    [wheel] = folder.glob("kate_eval-*.whl")
    pip = [str(folder / "env/bin/python"), "-m", "pip", "install", "--quiet"]
    sh(*pip, "--require-hashes", "-r", str(ROOT / "requirements/base.txt"), cwd=folder)
    sh(*pip, "--no-deps", str(wheel), cwd=folder)
    return folder


def test_a_wheel_user_sets_up_and_scores_gold(clean: Path) -> None:
    python = str(clean / "env/bin/python")
    assert "kate bfcl setup" in sh(python, "-c", MISSING, cwd=clean)
    assert "Installed bfcl-eval" in sh(str(clean / "env/bin/kate"), "bfcl", "setup", cwd=clean)
    assert sh(python, "-c", SCORE_TWO, cwd=clean).splitlines()[-1] == "['C', 'C']"
    assert "kate-eval" in sh(str(clean / "env/bin/kate-eval"), "--version", cwd=clean)


def test_the_base_environment_is_small_and_has_no_torch(clean: Path) -> None:
    size = sum(f.stat().st_size for f in (clean / "env").rglob("*") if f.is_file() and not f.is_symlink())
    assert size < 700e6  # 84 MB of it vl-convert, which draws the plots without a browser
    assert not list((clean / "env").rglob("site-packages/torch"))
