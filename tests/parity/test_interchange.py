"""Exported logs are scored officially as we scored them, and official files here as there: all dialects.

Needs `make official`. All entries in both modes: `make parity`; a slice of them is in tests/bfcl/interchange.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from kate_eval.bfcl.categories import CATEGORIES, MODES
from kate_eval.bfcl.data import Entry, load
from kate_eval.bfcl.interchange.figures import official_accuracies, official_totals
from kate_eval.bfcl.interchange.layout import result_file
from kate_eval.bfcl.interchange.registered import DEFAULT, registered
from kate_eval.bfcl.interchange.score import Scoring, score_results
from kate_eval.cli import main
from tests.bfcl.interchange.writing import HOSTILE

from .cases import Plan, gold_plan
from .interchange import Official, official_scores, real_log, sample_log, usual_cases, write_results
from .kinds import KINDS

MODELS = {
    "gpt-4o-2024-11-20-FC": "fc",
    "mistral-large-2411-FC": "fc",
    "claude-opus-4-5-20251101-FC": "fc",
    "nova-pro-v1.0": "objects",
    "gemini-2.5-flash-lite-FC": "objects",
    "katanemo/Arch-Agent-1.5B": "objects",
    "command-r7b-12-2024-FC": "tool_name",
    "xiaoming-14B": "named",
    "Qwen/Qwen3-8B-FC": "tagged",
    "ibm-granite/granite-4.0-350m": "tagged",
    "BitAgent/BitAgent-Bounty-8B": "json",
    "MadeAgents/Hammer2.1-7b": "json_fenced",
    "Salesforce/Llama-xLAM-2-70b-fc-r": "json_semicolons",
    "Salesforce/xLAM-2-32b-fc-r": "json_semicolons",
    "meta-llama/Llama-3.1-8B-Instruct-FC": "json_parameters",
    "gpt-4o-2024-11-20": "prompt",
    "Qwen/Qwen3-8B": "prompt",
    "microsoft/phi-4": "prompt_fenced",
    "gemini-2.5-flash-lite": "prompt_tool_code",
}
"""A model of each handler -> the dialect that it writes."""
DAMAGES = (
    *("argument_wrong", "call_dropped", "call_doubled", "argument_of_another_type", "name_unknown", "gold"),
)


def assert_same(scoring: Scoring, official: Official, entries: int) -> None:
    """Every verdict, every category's accuracy and all totals are the official ones."""
    assert not official.raised, official.raised
    ours = {entry: item.verdict.correct for entry, item in scoring.judged.items()}
    differing = [entry for entry, correct in official.verdicts.items() if ours.get(entry) != correct]
    assert not differing, differing[:10]
    assert set(ours) == set(official.verdicts)
    assert len(ours) == entries
    assert official_accuracies(scoring) == {c: h["accuracy"] for c, h in official.headers.items()}
    for name, value in official_totals(scoring).items():
        assert official.totals[name] == ("N/A" if value is None else f"{100 * value:.2f}%"), name


def plans(entries: Sequence[Entry], salt: str) -> list[tuple[Entry, Plan]]:
    """Gold plans, most of them damaged."""
    found = []
    for entry in entries:
        rng = Random(f"{salt}:{entry.id}")
        plan = gold_plan(entry, rng)
        damage = KINDS[rng.choice(DAMAGES)].plan if rng.random() < 0.6 else None
        found.append((entry, (damage(plan, entry, rng) if damage else None) or gold_plan(entry, rng)))
    return found


@pytest.mark.slow
@pytest.mark.parity
def test_all_entries_round_trip_in_both_modes(tmp_path: Path) -> None:
    entries = list(load(CATEGORIES))
    like, folders = real_log(tmp_path / "logs", ["simple_python_0"]), []
    for mode in MODES:
        log = sample_log(usual_cases(mode, entries), mode, like)
        done = CliRunner().invoke(main, ["bfcl", "export", log.location, "-o", str(tmp_path / f"r-{mode}")])
        assert done.exit_code == 0, done.output
        folders.append((DEFAULT[mode], tmp_path / f"r-{mode}"))
        ours = {str(s.id): s.scores["bfcl_verdict"].value == "C" for s in log.samples or [] if s.scores}
        start = time.perf_counter()
        scoring = score_results(folders[-1][1] / DEFAULT[mode], None)
        print(f"\n{mode}: {len(scoring.judged)} entries scored in {time.perf_counter() - start:.1f} s")
        assert {entry: item.verdict.correct for entry, item in scoring.judged.items()} == ours
    for (model, folder), official in zip(folders, official_scores(folders, tmp_path / "o"), strict=True):
        scoring = score_results(folder / model, None)
        assert_same(scoring, official, len(entries))
        share = sum(official.verdicts.values()) / len(official.verdicts)
        assert 0.2 < share < 0.8, "outcomes of both kinds are to be seen"


@pytest.mark.slow
def test_hostile_results_are_scored_as_officially(tmp_path: Path) -> None:
    entries = list(load(CATEGORIES))[::11]
    bearable = [result for result in HOSTILE if not stops_the_official_run(result)]
    assert len(HOSTILE) - len(bearable) == 2
    for mode in MODES:
        for entry, result in zip(entries, bearable * 30, strict=False):
            file = tmp_path / mode / DEFAULT[mode] / result_file(entry.category)
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps({"id": entry.id, "result": result}) + "\n")
    folders = [(DEFAULT[mode], tmp_path / mode) for mode in MODES]
    for mode, official in zip(MODES, official_scores(folders, tmp_path / "o"), strict=True):
        assert_same(score_results(tmp_path / mode / DEFAULT[mode], mode), official, len(entries))


def stops_the_official_run(result: Any) -> bool:
    """Whether it is nested deeper than the official tool can write, or is computed there for ever."""
    return "9**9" in str(result)[:99] or ("[" * 400 in str(result)[:999] and isinstance(result, list))


@pytest.mark.slow
def test_every_dialect_is_scored_as_officially(tmp_path: Path) -> None:
    entries = list(load(CATEGORIES))[::15]
    folders = []
    for number, (model, dialect) in enumerate(MODELS.items()):
        folder = tmp_path / str(number) / model.replace("/", "_")
        write_results(plans(entries, model), dialect, folder, registered()[model].dotted)
        folders.append((model, folder.parent))
    for (model, folder), official in zip(folders, official_scores(folders, tmp_path / "o"), strict=True):
        scoring = score_results(folder / model.replace("/", "_"), None)
        try:
            assert_same(scoring, official, len(entries))
        except AssertionError as ex:
            raise AssertionError(f"{model}: {ex}") from ex
        right = sum(official.verdicts.values())
        assert 0.3 * len(entries) < right < 0.9 * len(entries), (model, right)
