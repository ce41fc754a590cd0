"""`kate train rows` and `show`: what they print and refuse."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kate_eval.cli import main
from kate_eval.trainers.rows import build
from kate_eval.trainers.rows.folder import load_rows


def kate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["train", *map(str, arguments)])


def rows(folder: Path, *arguments: str) -> Result:
    return kate("rows", "bfcl", "--categories", "multi_turn_base", "--limit", "2", "-o", folder, *arguments)


def words(result: Result) -> str:
    """What was printed, without the table's line breaks."""
    return " ".join(result.output.split())


def test_rows_are_made_and_shown(tmp_path: Path) -> None:
    options = ["--knowledge", "trajectory", "--dropout", "0", "--aggregation", "3", "--held-out", "0.5"]
    made = rows(tmp_path, *options, "--reasoning-from", "simulated/default")
    assert made.exit_code == 0, made.output
    held = load_rows(tmp_path)
    assert held.card.teacher and held.card.knowledge and held.card.aggregation == 3
    said = words(made)
    assert f"The teacher wrote {held.card.teacher.reasoning + held.card.teacher.replies} texts" in said
    assert "Tokens a row (an estimate: 4 characters a token)" in said and "<= " in said and held.hash in said
    shown = kate("show", tmp_path)
    assert shown.exit_code == 0 and held.hash in shown.output and held.train[0].id in words(shown)
    every = [one.id for one in (*held.train, *held.held_out)]
    assert "more: --ids lists them all" in shown.output and held.held_out[0].id in words(shown)
    assert kate("show", tmp_path, "--ids").output.splitlines() == every
    chosen = kate("show", tmp_path, "/aggregation/", "--ids").output.splitlines()
    assert chosen == [one for one in every if "/aggregation/" in one] and chosen
    row = next(one for one in held.train if one.kind == "step" and one.calls)
    one = kate("show", tmp_path, row.id)
    assert (
        one.exit_code == 0 and "assistant, to learn" in one.output and "(reasoning) SIMULATED" in one.output
    )
    assert f"-> {row.calls[0].name} {json.dumps(row.calls[0].arguments)}" in one.output
    assert row.tools[0]["function"]["description"] not in one.output
    assert '"parameters"' in kate("show", tmp_path, row.id, "--tools").output
    missing = kate("show", tmp_path, "nothing")
    assert missing.exit_code == 1 and "Unknown row 'nothing'; choose from:" in missing.output
    several = kate("show", tmp_path, "/aggregation/")
    assert several.exit_code == 1 and f"is in the ids of {len(chosen)} rows: {chosen[0]}" in several.output
    again = rows(tmp_path, *options, "--reasoning-from", "simulated/default")
    assert "0 input and 0 output tokens" in words(again) and load_rows(tmp_path).hash == held.hash


def test_the_estimate_makes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    found = rows(folder, "--estimate", "--reasoning-from", "simulated/default", "--price", "1,2")
    assert found.exit_code == 0 and "Reasoning and replies: " in found.output and "$" in found.output
    assert not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--irrelevant", "0.5"], "--irrelevant needs --knowledge FORMS"),
        (["--knowledge", "trajectory", "--dropout", "7"], "knowledge.dropout=7"),
        (["--knowledge", "wisdom"], "no items of form 'wisdom'"),
        (["--split", "test"], "--allow-leakage"),
        (["--aggregation", "1"], "needs two candidates"),
        (["--tokenizer", "/nowhere"], "--tokenizer"),
        (
            ["--from-logs", "/nowhere", "--reasoning-from", "simulated/default"],
            "does not apply to --from-logs",
        ),
        (["--from-logs", "/nowhere", "--estimate"], "--estimate does not apply"),
        (["--reasoning-from", "nobody/none"], "The model 'nobody/none' can't be used"),
        (["--price", "cheap"], "--price cheap"),
    ],
)
def test_what_can_t_be_made_is_said_in_a_line(tmp_path: Path, arguments: list[str], reason: str) -> None:
    found = rows(tmp_path / "rows", *arguments)
    assert found.exit_code == 1 and reason in found.output and "Traceback" not in found.output
    assert not (tmp_path / "rows" / "card.json").exists()


def test_an_interruption_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "make_gold_rows", interrupted)
    found = rows(tmp_path)
    assert found.exit_code == 130 and "Run the same command again to go on" in found.output


def test_a_folder_that_holds_no_rows_is_named(tmp_path: Path) -> None:
    found = kate("show", tmp_path)
    assert (
        found.exit_code == 1
        and f"No rows in {tmp_path}" in found.output
        and "kate train rows" in found.output
    )
