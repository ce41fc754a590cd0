"""The report by similarity to the bank: which samples count where, and what they and the baseline scored."""

from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai.log import EvalLog

from kate_eval.cli import main
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.bank import make_bank
from kate_eval.knowledge.folder import save_bank
from kate_eval.report.formats.markdown import markdown
from kate_eval.report.leaderboard import Result, leaderboard
from kate_eval.report.make import make_document
from kate_eval.report.nearness import by_stratum
from kate_eval.report.read import read_logs, read_runs
from kate_eval.report.strata import DUPLICATE, NEAR, stratum
from kate_eval.solvers.kate import baseline, knowledge
from kate_eval.tasks.bfcl import bfcl

BASE = {"categories": "multi_turn_base"}
CHOSEN = [f"multi_turn_base_{number}" for number in (1, 27, 43, 53, 65)]
"""43 opens with a training turn's very words; 53 asks for something in similar ones."""


def rows(folder: Path) -> dict[str, Result]:
    """The leaderboard by solver."""
    return {row.run.solver: row for row in leaderboard(read_runs(folder))}


def values(log: EvalLog) -> dict[str, float]:
    """Entry -> what it scored."""
    assert log.samples
    return {
        str(s.id): float(s.scores["bfcl_verdict"].value in ("C", 1))
        for s in log.samples
        if s.scores is not None
    }


def nearest(log: EvalLog) -> dict[str, float]:
    """Entry -> similarity to the bank, as the solver counted it."""
    assert log.samples
    return {str(s.id): s.store["kate:counters"]["nearest"] for s in log.samples}


@pytest.mark.parametrize(
    ("similarity", "name"),
    [
        (0.0, "novel"),
        (NEAR - 1e-6, "novel"),
        (NEAR, "near"),
        (DUPLICATE - 1e-6, "near"),
        (DUPLICATE, "duplicate"),
        (1.0, "duplicate"),
    ],
)
def test_a_threshold_belongs_to_the_stratum_above_it(similarity: float, name: str) -> None:
    assert stratum(similarity) == name


def test_each_stratum_has_its_score_the_baseline_s_and_the_paired_difference(
    run: Any, tmp_path: Path
) -> None:
    plain = values(run(bfcl(**BASE), "simulated/default", baseline(), sample_id=CHOSEN))
    log = run(bfcl(**BASE), "simulated/default", knowledge(), sample_id=CHOSEN)
    scores, similar = values(log), nearest(log)
    assert scores != plain
    found = by_stratum(rows(tmp_path / "logs")["knowledge"])
    assert [name.split()[0] for name in found] == ["novel", "near", "duplicate"]
    for name, part in found.items():
        members = [entry for entry in CHOSEN if stratum(similar[entry]) == name.split()[0]]
        assert part.score and part.baseline and part.difference
        assert part.score.n == len(members) > 0
        assert part.score.mean == pytest.approx(fmean(scores[entry] for entry in members))
        assert part.baseline.mean == pytest.approx(fmean(plain[entry] for entry in members))
        assert part.difference.mean == pytest.approx(part.score.mean - part.baseline.mean)
    assert len({part.score.n for part in found.values() if part.score}) > 1


def test_without_a_baseline_there_is_no_difference(run: Any, tmp_path: Path) -> None:
    run(bfcl(**BASE), "simulated/default", knowledge(), limit=2)
    [*parts] = by_stratum(rows(tmp_path / "logs")["knowledge"]).values()
    assert parts and all(part.baseline is None and part.difference is None for part in parts)


def test_the_tables_appear_only_where_a_run_had_a_bank(run: Any, tmp_path: Path) -> None:
    title = "by similarity to the bank"
    logs = tmp_path / "logs"
    run(bfcl(**BASE), "simulated/default", baseline(), limit=2)
    assert title not in CliRunner().invoke(main, ["report", str(logs)]).output
    assert title not in markdown(make_document(read_logs(logs)))
    run(bfcl(**BASE), "simulated/default", knowledge(), limit=2)
    done = CliRunner().invoke(main, ["report", str(logs), "-o", str(tmp_path / "board.md")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "board.md").read_text()
    assert f"## BFCL-V3, {title} (SIMULATED)" in text and f"BFCL-V3, {title}" in done.output
    [*lines] = [line for line in text.splitlines() if "novel < 0.3" in line or "near < 0.9" in line]
    assert lines and all(line.startswith("| simulated/default knowledge |") for line in lines)


def test_a_bank_of_unknown_sources_is_flagged_however_long_its_name(run: Any, tmp_path: Path) -> None:
    items = [item.model_copy(update={"sources": ()}) for item in default_bank("bfcl").items]
    # What a sample depended on is over a kilobyte then, which summaries of samples leave out.
    folder = tmp_path / ("long" * 50) / ("name" * 50)
    save_bank(make_bank(items, default_bank("bfcl").card), folder)
    run(bfcl(**BASE), "simulated/default", knowledge(bank=str(folder)), limit=1)
    run(bfcl(**BASE), "simulated/default", baseline(), limit=1)
    found = rows(tmp_path / "logs")
    flag = "the bank's sources are not known: leakage can't be checked"
    told = {name: [flag.text for flag in row.flags] for name, row in found.items()}
    assert flag in told["knowledge"] and flag not in told["baseline"]
    [sample] = found["knowledge"].run.samples
    assert sample.provenance["bank"] == str(folder)
