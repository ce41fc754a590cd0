"""A slice of the interchange against the unmodified package: every entry's verdict, accuracies, totals.

All entries, all dialects and hostile results: tests/parity/test_interchange.py (`make parity`, `make slow`).
"""

from pathlib import Path

from click.testing import CliRunner
from inspect_ai.log import EvalLog

from kate_eval.bfcl.categories import CATEGORIES, MODES
from kate_eval.bfcl.data import load
from kate_eval.bfcl.interchange.registered import DEFAULT
from kate_eval.bfcl.interchange.score import score_results
from kate_eval.cli import main
from tests.parity.interchange import official_scores, real_log, sample_log, usual_cases
from tests.parity.test_interchange import assert_same

ENTRIES = list(load(CATEGORIES))[::60]


def test_an_exported_log_is_scored_officially_and_by_us_as_it_was(tmp_path: Path) -> None:
    run = real_log(tmp_path / "logs", [entry.id for entry in ENTRIES[::6]])
    cases: dict[str, EvalLog] = {m: sample_log(usual_cases(m, ENTRIES), m, run) for m in MODES}
    logs = {"run": run, **cases}
    models = {name: DEFAULT["fc" if name == "fc" else "prompt"] for name in logs}
    for name, log in logs.items():
        done = CliRunner().invoke(main, ["bfcl", "export", log.location, "-o", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
    scores = official_scores([(model, tmp_path / name) for name, model in models.items()], tmp_path / "o")
    for (name, model), found in zip(models.items(), scores, strict=True):
        logged = {s.id: s.scores["bfcl_verdict"].value == "C" for s in logs[name].samples or [] if s.scores}
        assert found.verdicts == logged, name
        assert_same(score_results(tmp_path / name / model, None), found, len(logged))
        assert 0 < sum(logged.values()) < len(logged), "outcomes of both kinds are to be seen"
