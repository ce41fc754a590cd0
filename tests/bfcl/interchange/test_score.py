"""Scoring anybody's result files: every line that can be, and the others named, counted and said."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kate_eval.bfcl.categories import CATEGORIES, MULTI_TURN, has_gold
from kate_eval.bfcl.data import BROKEN_GOLD, Entry, load, load_category
from kate_eval.bfcl.interchange import score as module
from kate_eval.bfcl.interchange.figures import figures, official_totals
from kate_eval.bfcl.interchange.layout import result_file
from kate_eval.bfcl.interchange.score import score_results
from kate_eval.bfcl.interchange.table import notes
from kate_eval.cli import main

from .writing import HOSTILE, right, right_text, write_lines, write_right

INFERENCE_ERROR = "Error during inference: Connection timed out."


def scored(path: Path, *options: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["bfcl", "score", str(path), *options])


def test_right_answers_of_every_category_are_right(tmp_path: Path) -> None:
    for category in CATEGORIES:
        if has_gold(category):
            write_right(tmp_path, category, 3)
        else:
            called = [{"f": "{}"}] if category == "live_relevance" else "I can't."
            entries = load_category(category)[:3]
            write_lines(tmp_path / result_file(category), [{"id": e.id, "result": called} for e in entries])
    scoring = score_results(tmp_path, None)
    assert [row.name for row in figures(scoring)][:5] == [
        *("overall", "overall without broken gold", "non_live", "live", "multi_turn"),
    ]
    assert [row.ours and row.ours.mean for row in figures(scoring)] == pytest.approx([1.0] * 22)
    assert {row.ours.n for row in figures(scoring)[5:] if row.ours} == {3}
    totals = official_totals(scoring)
    assert totals.pop("Overall Acc") == pytest.approx(0.6)  # V4's agentic categories count as zero
    assert list(totals.values()) == pytest.approx([1.0] * 5)
    assert not scoring.problems


def test_v3_s_names_and_flat_folder_give_the_same_as_v4_s(tmp_path: Path) -> None:
    entries = load_category("simple_java")[:10]
    lines = [right(entry) for entry in entries[:5]] + [{"id": e.id, "result": "no"} for e in entries[5:]]
    write_lines(tmp_path / "v4" / result_file("simple_java"), lines)
    old = [{**line, "id": line["id"].removeprefix("simple_")} for line in lines]
    write_lines(tmp_path / "v3" / "BFCL_v3_java_result.json", old)
    new, v3 = (score_results(tmp_path / name, None) for name in ("v4", "v3"))
    assert {i: j.verdict for i, j in new.judged.items()} == {i: j.verdict for i, j in v3.judged.items()}
    assert sum(item.verdict.correct for item in v3.judged.values()) == 5


def test_prompting_results_are_found_to_be_such(tmp_path: Path) -> None:
    lines = [right_text(entry) for entry in load_category("multiple")[:5]]
    write_lines(tmp_path / "BFCL_v4_multiple_result.json", lines)
    done = scored(tmp_path)
    assert done.exit_code == 0 and "calls as Python text" in done.output
    assert "100.00 [56.6, 100.0]" in done.output


def test_what_can_t_be_scored_is_named_and_the_rest_scored(tmp_path: Path) -> None:
    first, second, third = load_category("multiple")[:3]
    lines = [
        right(first),
        {**right(second), "result": "no"},
        "{not json",
        {"id": "multiple_999", "result": []},
        right(load_category("parallel")[0]),
        {"id": third.id},
        right(second),
        {"id": "memory_kv_0", "result": []},
    ]
    file = write_lines(tmp_path / "BFCL_v4_multiple_result.json", lines)
    write_lines(tmp_path / "agentic" / "BFCL_v4_web_search_base_result.json", ["{}"])
    scoring = score_results(tmp_path, None)
    assert {entry: item.verdict.correct for entry, item in scoring.judged.items()} == {
        first.id: True,
        second.id: True,  # of two lines the last
    }
    assert scoring.counts == {"malformed": 2, "unknown": 2, "foreign": 1, "duplicate": 1}
    assert [problem.number for problem in scoring.problems] == [3, 4, 5, 6, 7, 8]
    told = "\n".join(notes(scoring))
    assert f"{file}:3: no JSON" in told
    assert f"{file}:5: parallel_0 is an entry of parallel, not of multiple" in told
    assert f"{file}:7: {second.id} stands there again" in told
    assert "198 entries of these categories have no result" in told
    assert "Left out, not of BFCL-V3" in told


def test_inference_errors_are_errors_and_the_official_figure_is_said(tmp_path: Path) -> None:
    for category in ("irrelevance", "multiple", "multi_turn_base"):
        entries = load_category(category)[:4]
        lines = [{"id": e.id, "result": INFERENCE_ERROR, "traceback": "..."} for e in entries[:1]]
        good = [right(e) if has_gold(category) else {"id": e.id, "result": "no"} for e in entries[1:]]
        write_lines(tmp_path / result_file(category), [*lines, *good])
    rows = {row.name: row for row in figures(score_results(tmp_path, None))}
    for category, official in (("irrelevance", 1.0), ("multiple", 0.75), ("multi_turn_base", 0.75)):
        row = rows[category]
        assert row.ours is not None and (row.ours.mean, row.ours.n) == (1.0, 3)
        assert (row.errors, row.official) == (1, official)
    told = scored(tmp_path).output
    assert (
        "3 results are inference errors: not scored by us; officially 2 of them count as wrong, 1 as" in told
    )


def test_broken_gold_is_left_out_of_the_second_overall(tmp_path: Path) -> None:
    for category in CATEGORIES:
        entries = [e for e in load_category(category) if e.broken_gold] + list(load_category(category)[:2])
        lines = [answer(entry) for entry in {entry.id: entry for entry in entries}.values()]
        write_lines(tmp_path / result_file(category), lines)
    rows = {row.name: row.ours for row in figures(score_results(tmp_path, None))}
    overall, valid = rows["overall"], rows["overall without broken gold"]
    assert overall is not None and valid is not None
    assert overall.mean < 0.95 and valid.mean == pytest.approx(1.0)
    assert overall.n - valid.n == len(BROKEN_GOLD)


def answer(entry: Entry) -> dict[str, Any]:
    """A right answer; for an entry whose gold fails, its gold."""
    if entry.gold:
        return right(entry)
    return {"id": entry.id, "result": [{"f": "{}"}] if entry.category == "live_relevance" else "no"}


def test_hostile_results_are_scored_and_nothing_raises(tmp_path: Path) -> None:
    entries = list(load(CATEGORIES))[::41]
    assert len(entries) > len(HOSTILE)
    for entry, result in zip(entries, HOSTILE * 9, strict=False):
        file = tmp_path / result_file(entry.category)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"id": entry.id, "result": result}) + "\n")
    for mode in ("fc", "prompt"):
        done = scored(tmp_path, "--mode", mode, "-o", str(tmp_path / "all.json"))
        assert done.exit_code == 0, done.output
        found = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
        assert set(found["entries"]) == {entry.id for entry in entries}
        right_ones = [e for e, one in found["entries"].items() if one["correct"]]
        assert {re.sub(r"_[^_]*$", "", entry) for entry in right_ones} <= {
            *("irrelevance", "live_irrelevance", "live_relevance")
        }


def test_nothing_in_a_result_is_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    code = f"__import__('pathlib').Path({str(ran)!r}).touch()"
    harmful = json.dumps({f"x={code}) or (y": 1})
    by_mode: dict[str, list[Any]] = {
        "fc": [[{code: "{}"}], [{"pwd": harmful}], [{"exec": json.dumps({"x": code})}], [{"cd": code}]],
        "prompt": [f"[{code}]", f"[pwd(x={code})]", f"[pwd(x=1+{code})]", f"[exec({code})]"],
    }
    for mode, answers in by_mode.items():
        for category in ("multiple", "simple_java", "live_relevance", "multi_turn_base"):
            lines = [
                {"id": e.id, "result": [[answer]] * len(e.turns) if e.multi_turn else answer}
                for e, answer in zip(load_category(category), answers, strict=False)
            ]
            write_lines(tmp_path / mode / result_file(category), lines)
        done = scored(tmp_path / mode, "--mode", mode)
        assert done.exit_code == 0, done.output
    assert not ran.exists()


def test_terminal_codes_in_ids_and_halves_of_characters_are_escaped(tmp_path: Path) -> None:
    lines = ['{"id": "\\ud83d\\u001b[2J_0", "result": []}', right(load_category("multiple")[0])]
    write_lines(tmp_path / "BFCL_v4_multiple_result.json", lines)
    done = scored(tmp_path)
    assert done.exit_code == 0 and "\x1b[2J" not in done.output and r"\ud83d\x1b[2J_0" in done.output


def test_more_problems_than_can_be_shown_are_counted(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 50)
    write_lines(
        tmp_path / "BFCL_v4_multiple_result.json", [*["{"] * 500, right(load_category("multiple")[0])]
    )
    scoring = score_results(tmp_path, None)
    assert len(scoring.problems) == 50 and scoring.counts["malformed"] == 500
    told = list(notes(scoring))
    assert len(told) < 30 and "500 lines or files could not be read." in told


def test_a_mode_that_can_t_be_found_is_asked_for(tmp_path: Path) -> None:
    write_lines(tmp_path / "BFCL_v4_multiple_result.json", [{"id": "multiple_0", "result": "no"}])
    done = scored(tmp_path)
    assert done.exit_code == 1 and "--mode fc or --mode prompt" in done.output
    assert scored(tmp_path, "--mode", "prompt").exit_code == 0
    (tmp_path / "gpt-4o-2024-11-20").mkdir()
    (tmp_path / "BFCL_v4_multiple_result.json").rename(
        tmp_path / "gpt-4o-2024-11-20" / "BFCL_v4_multiple_result.json"
    )
    done = scored(tmp_path / "gpt-4o-2024-11-20")
    assert done.exit_code == 0 and "takes the folder for gpt-4o-2024-11-20's" in done.output


def test_a_folder_that_is_officially_read_otherwise_is_said_to_be(tmp_path: Path) -> None:
    write_right(tmp_path / "Qwen_Qwen3-8B-FC", "multi_turn_base", 2)
    done = scored(tmp_path / "Qwen_Qwen3-8B-FC")
    assert done.exit_code == 0 and "100.00" in done.output
    assert (
        "CAUTION: bfcl evaluate takes the folder for Qwen/Qwen3-8B-FC's, whose QwenFCHandler" in done.output
    )
    write_right(tmp_path / "own-model", "multi_turn_base", 2)
    assert "knows no model of the folder's name" in scored(tmp_path / "own-model").output


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_can_t_be_read_is_named(tmp_path: Path) -> None:
    write_right(tmp_path, "multiple", 1)
    write_right(tmp_path, "parallel", 1).chmod(0)
    done = scored(tmp_path)
    assert done.exit_code == 0 and "BFCL_v4_parallel_result.json: Permission denied" in done.output


def test_multi_turn_results_that_end_early_are_wrong(tmp_path: Path) -> None:
    lines = [right(load_category(category)[0]) for category in MULTI_TURN]
    for category, line in zip(MULTI_TURN, lines, strict=True):
        write_lines(tmp_path / result_file(category), [{**line, "result": line["result"][:-1]}])
    scoring = score_results(tmp_path, None)
    assert {item.verdict.error_type for item in scoring.judged.values()} == {"multi_turn:force_terminated"}


def test_files_without_a_result_or_a_category_are_named_and_their_entries_missing(tmp_path: Path) -> None:
    first, *others = [write_right(tmp_path, category, 1) for category in MULTI_TURN]
    first.write_bytes(b"")
    others[0].write_text("{\n", encoding="utf-8")
    nameless = write_lines(tmp_path / "foo_result.json", [right(load_category("multiple")[0])])
    rows = {row.name: row for row in figures(score_results(tmp_path, None))}
    assert list(rows) == ["multi_turn", *MULTI_TURN]
    assert rows["multi_turn"].ours is rows[MULTI_TURN[0]].ours is rows[MULTI_TURN[1]].ours is None
    assert [rows[c].missing for c in MULTI_TURN] == [200, 200, 199, 199]
    told = scored(tmp_path).output
    assert f"{first}: no line of it is a result" in told and f"{others[0]}: no line of it is a result" in told
    assert f"{nameless}: no category of BFCL is named so" in told
    assert "798 entries of these categories have no result" in told
    assert f"no aggregate that they belong to: {MULTI_TURN[0]}, {MULTI_TURN[1]}." in told


def test_where_no_file_holds_a_result_that_is_said_and_no_mode_asked_for(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "BFCL_v4_multiple_result.json", [])
    done = scored(tmp_path)
    assert done.exit_code == 1 and f"Nothing to score: {file}: no line of it is a result" in done.output
