"""A slice of the interchange against the unmodified package: every entry's verdict, accuracies, totals.

All entries, all dialects and hostile results: tests/parity/test_interchange.py (`make parity`, `make slow`).
"""

from pathlib import Path

import pytest
from click.testing import CliRunner
from inspect_ai import eval
from inspect_ai.log import EvalLog

from kate_eval.bfcl.categories import CATEGORIES, MODES
from kate_eval.bfcl.data import load
from kate_eval.bfcl.interchange.registered import DEFAULT
from kate_eval.bfcl.interchange.score import score_results
from kate_eval.cli import main
from kate_eval.solvers.kate import baseline
from kate_eval.tasks.bfcl import bfcl
from tests.parity.interchange import Official, official_scores, sample_log, usual_cases
from tests.parity.test_interchange import assert_same

ENTRIES = list(load(CATEGORIES))[::60]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, EvalLog]:
    """A real run of a simulated model that makes mistakes, and logs of played cases in both modes."""
    folder = tmp_path_factory.mktemp("logs")
    task = bfcl(categories="all", split="all", mode="prompt")
    options = {"sample_id": [entry.id for entry in ENTRIES[::6]], "log_dir": str(folder), "display": "none"}
    [log] = eval(task, model="simulated/weak", solver=baseline(), **options)  # type: ignore[arg-type]
    cases: dict[str, EvalLog] = {
        mode: sample_log(usual_cases(mode, ENTRIES), mode, folder / mode) for mode in MODES
    }
    return {"run": log, **cases}


@pytest.fixture(scope="module")
def official(
    logs: dict[str, EvalLog], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, Official]]:
    """A model's folder and official scores of each exported log."""
    root = tmp_path_factory.mktemp("results")
    models = {name: DEFAULT["fc" if name == "fc" else "prompt"] for name in logs}
    for name, log in logs.items():
        done = CliRunner().invoke(main, ["bfcl", "export", log.location, "-o", str(root / name)])
        assert done.exit_code == 0, done.output
    scores = official_scores([(model, root / name) for name, model in models.items()], root / "official")
    return {
        name: (root / name / model, found)
        for (name, model), found in zip(models.items(), scores, strict=True)
    }


@pytest.mark.xdist_group("interchange")
@pytest.mark.parametrize("name", ["run", *MODES])
def test_an_exported_log_is_scored_officially_and_by_us_as_it_was(
    name: str, logs: dict[str, EvalLog], official: dict[str, tuple[Path, Official]]
) -> None:
    path, found = official[name]
    logged = {s.id: s.scores["bfcl_verdict"].value == "C" for s in logs[name].samples or [] if s.scores}
    assert found.verdicts == logged
    assert_same(score_results(path, None), found, len(logged))
    assert 0 < sum(logged.values()) < len(logged), "outcomes of both kinds are to be seen"
