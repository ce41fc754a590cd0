"""Dependencies point one way, and what every `inspect` command imports stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ALLOWED = {
    "grids": {"kate_eval"},
    "kate_eval": set(),
    "knowledge": {"kate_eval"},
    "solvers": {"knowledge", "kate_eval"},
    "tasks": {"solvers", "kate_eval"},
    "trainers": {"solvers", "knowledge", "kate_eval"},
}
"""Room -> rooms it may import from, besides itself."""
COMPOSITION_ROOT = ("kate_eval/_registry.py", "kate_eval/cli.py", "kate_eval/demo.py", "kate_eval/grid/")
"""Files, and a folder, that put everything together."""
PLAYS_GRIDS = ("grids/", "trainers/rescore/", "trainers/commands/rescore.py")
"""Declare grids, or play them; nobody else knows of them."""
ENGINES = {"bfcl_eval": "kate_eval/bfcl/engine.py", "appworld": "kate_eval/appworld/engine/"}
"""Package of a benchmark's engine -> what alone may import it."""
OTHER_SIDE = "kate_eval/appworld/engine/"
"""Runs in the engine's own environment; the host never imports it."""


def imported(file: Path) -> set[str]:
    """Modules that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def room(module: str) -> str:
    """The room (top-level folder) of one of our modules."""
    second = ([*module.split("."), ""])[1]
    return second if second in ALLOWED else "kate_eval"


FILES = [path for folder in ALLOWED for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_what_it_may(file: Path) -> None:
    relative = file.relative_to(ROOT).as_posix()
    names = imported(file)
    assert not [n for n in names if n.startswith("inspect_ai._") or "._" in n.removeprefix("kate_eval._")]
    for package, place in ENGINES.items():
        if not relative.startswith(place):
            assert not [n for n in names if n.split(".")[0] == package]
    if relative.startswith(OTHER_SIDE):
        assert not [n for n in names if n.split(".")[0] in ("kate_eval", "inspect_ai")]
        return
    assert not [n for n in names if n.split(".")[0] == "kate_engine"]
    if relative.startswith(COMPOSITION_ROOT):
        return
    assert relative.startswith(PLAYS_GRIDS) or not [n for n in names if n.startswith("kate_eval.grid.")]
    own = relative.split("/")[0]
    rooms = {room(name) for name in names if name.split(".")[0] == "kate_eval"}
    assert rooms <= ALLOWED[own] | {own}


def test_grid_files_only_declare() -> None:
    for file in (ROOT / "grids").glob("*.py"):
        assert imported(file) <= {"kate_eval.grid.cell"}, file


def test_solvers_know_no_benchmark() -> None:
    for file in [*(ROOT / "solvers").glob("*.py"), *(ROOT / "kate_eval/recovery").glob("*.py")]:
        known = [n for n in imported(file) if n.startswith(("kate_eval.bfcl", "kate_eval.appworld"))]
        assert not known, file


def test_the_registry_imports_without_heavy_modules() -> None:
    code = (
        "import sys, inspect_ai.model, inspect_ai.solver, inspect_ai.scorer, inspect_ai.log\n"
        "before = set(sys.modules)\n"
        "import time; start = time.process_time()\n"
        "import kate_eval._registry\n"
        "print(time.process_time() - start)\n"
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before} & set(sys.argv[1].split(','))))\n"
    )
    heavy = "bm25s,bfcl_eval,tree_sitter,mpmath,torch,transformers,trl,sklearn,scipy,faiss,pandas,vl_convert"
    done = subprocess.run(
        [sys.executable, "-c", code, heavy], capture_output=True, text=True, check=True, cwd=ROOT
    )
    seconds, loaded = done.stdout.splitlines()
    assert loaded == "[]"
    assert float(seconds) < 1.0  # of CPU; 0.25 s measured


@pytest.mark.parametrize("name", ["nearest", "kate_eval/nearest"])
def test_names_resolve_from_anywhere(tmp_path: Path, name: str) -> None:
    code = (
        "import sys\nfrom inspect_ai.solver import SolverSpec\n"
        "from inspect_ai import eval\n"
        "log, = eval('kate_eval/bfcl', model='mockllm/model', solver=SolverSpec(sys.argv[1]),\n"
        "            limit=2, log_dir='logs', display='none')\n"
        "print(log.status, log.eval.solver, log.results.completed_samples)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, name], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    # Before it Inspect names the hooks of installed packages.
    assert done.stdout.splitlines()[-1:] == [f"success {name} 2"], done.stderr
