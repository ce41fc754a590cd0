"""The entries for inspect_evals' register fit its schema (release 0.26.0) and our tasks."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from inspect_ai import eval

from kate_eval.appworld import places, provision
from kate_eval.appworld.task import TASK_VERSION as APPWORLD_TASK
from kate_eval.bfcl.categories import CATEGORIES
from kate_eval.bfcl.data import load
from kate_eval.bfcl.engine import BFCL_EVAL_VERSION
from kate_eval.bfcl.task import TASK_VERSION as BFCL_TASK
from kate_eval.tasks.bfcl import bfcl
from kate_eval.tasks.listed import kate_bfcl

ROOT = Path(__file__).parent.parent
ENTRIES = {file.parent.name: yaml.safe_load(file.read_text()) for file in ROOT.glob("register/*/eval.yaml")}
REQUIRED = {"full_title", "common_title", "description", "contributors", "tasks", "source"}
ALLOWED = REQUIRED | {"paper_title", "arxiv", "tags", "metadata", "evaluation_report"}
TAKEN = {"bfcl", "bfcl_prereqs", "appworld"}
"""Names that the register has already."""


def test_both_tasks_have_an_entry_under_a_new_name() -> None:
    assert set(ENTRIES) == {"kate_bfcl", "kate_appworld"}
    assert not TAKEN & set(ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_fits_the_schema(name: str) -> None:
    entry = ENTRIES[name]
    assert entry.keys() >= REQUIRED
    assert entry.keys() <= ALLOWED, "unknown keys are refused"
    assert entry["metadata"].keys() <= {
        "fast",
        "sandbox",
        "requires",
        "environment",
        "supports_k8s",
        "extras",
    }
    assert entry["source"].keys() <= {"repository_url", "repository_commit", "maintainers", "comment"}
    assert entry["description"].count("\n") == 1, "one line"
    assert re.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{5}(v\d+)?", entry["arxiv"])
    assert entry["source"]["repository_url"].startswith("https://github.com/")
    assert entry["source"]["repository_commit"] == "COMMIT" or re.fullmatch(
        "[0-9a-f]{40}", entry["source"]["repository_commit"]
    )


def decorated_tasks(file: Path) -> set[str]:
    """Names of the functions that a file decorates with @task."""
    functions = [n for n in ast.parse(file.read_text()).body if isinstance(n, ast.FunctionDef)]
    return {
        f.name for f in functions if any(isinstance(d, ast.Name) and d.id == "task" for d in f.decorator_list)
    }


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_names_one_task_where_it_is(name: str) -> None:
    [task] = ENTRIES[name]["tasks"]
    assert task["name"] == name
    assert name in decorated_tasks(ROOT / task["task_path"])
    assert (ROOT / task["task_path"]).with_name("__init__.py").is_file(), (
        "the register's linter wants a package"
    )


def test_the_upstream_repository_is_as_the_register_wants_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert any(re.match(r"inspect-ai\b", wanted) for wanted in project["dependencies"])
    assert ENTRIES["kate_bfcl"]["arxiv"] == project["urls"]["Paper"]


def extras(name: str) -> dict[str, Any]:
    found: dict[str, Any] = ENTRIES[name]["metadata"]["extras"]
    return found


def test_what_an_entry_says_of_versions_and_samples_is_so() -> None:
    assert extras("kate_bfcl")["task_version"] == BFCL_TASK
    assert extras("kate_bfcl")["bfcl_eval_version"] == BFCL_EVAL_VERSION
    assert ENTRIES["kate_bfcl"]["tasks"][0]["dataset_samples"] == len(kate_bfcl().dataset)
    every = len(list(load(CATEGORIES)))
    assert extras("kate_bfcl")["all_samples"].startswith(f"{every} ")
    assert extras("kate_appworld")["task_version"] == APPWORLD_TASK
    assert extras("kate_appworld")["appworld_version"] == places.APPWORLD_VERSION
    assert ENTRIES["kate_appworld"]["tasks"][0]["dataset_samples"] == provision.TASKS["test_normal"]
    for split in ("test_normal", "test_challenge"):
        assert f"{split} {provision.TASKS[split]}" in extras("kate_appworld")["all_samples"]


def test_the_listed_task_is_the_task_under_another_name(tmp_path: Path) -> None:
    options = {"categories": "multiple", "split": "train", "mode": "prompt"}
    ours, listed = bfcl(**options), kate_bfcl(**options)
    assert [s.id for s in ours.dataset] == [s.id for s in listed.dataset]
    assert (ours.version, ours.metadata) == (listed.version, listed.metadata)
    [log] = eval(listed, model="simulated/perfect", limit=1, log_dir=str(tmp_path), display="log")
    assert log.eval.task.rpartition("/")[2] == "kate_bfcl"
    assert log.status == "success"
