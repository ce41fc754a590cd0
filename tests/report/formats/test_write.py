"""Where a report goes, and what a reader finds there."""

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from kate_eval.errors import ConfigurationError
from kate_eval.report.document import Column, Document
from kate_eval.report.formats.csv import long_csv
from kate_eval.report.formats.figures import difference, figure, line, p_value
from kate_eval.report.formats.markdown import markdown
from kate_eval.report.formats.terminal import shown
from kate_eval.report.formats.write import FORMATS, write_report
from tests.report.example import PAIRED, example


def test_a_folder_has_all_formats_and_a_csv_for_each_table(tmp_path: Path) -> None:
    write_report(example(), tmp_path / "new" / "report")
    found = {str(file.relative_to(tmp_path / "new/report")) for file in tmp_path.rglob("*") if file.is_file()}
    tables = {f"tables/{table.id}.csv" for table in example().tables}
    plots = {f"plots/{plot.id}{ending}" for plot in example().plots for ending in (".png", ".svg")}
    formats = {f"report{ending}" for ending in (".md", ".csv", ".json", ".tex")}
    assert found == {"index.html"} | tables | plots | formats
    assert Document.from_json((tmp_path / "new/report/report.json").read_text()) == example()


def test_tables_that_are_no_more_are_removed_and_other_files_kept(tmp_path: Path) -> None:
    write_report(example(), tmp_path)
    (tmp_path / "tables/notes.txt").write_text("mine")
    write_report(example().model_copy(update={"tables": example().tables[:1]}), tmp_path)
    assert {file.name for file in (tmp_path / "tables").iterdir()} == {"bfcl-v3-measured.csv", "notes.txt"}


@pytest.mark.parametrize("ending", [".html", ".md", ".csv", ".json", ".tex", ".JSON"])
def test_a_file_has_the_format_of_its_ending(ending: str, tmp_path: Path) -> None:
    file = tmp_path / "deep" / f"board{ending}"
    assert write_report(example(), file) == [file] and file.stat().st_size > 500
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_of_another_kind_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "board.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match=r"no format of ours; end it in \.md"):
        write_report(example(), tmp_path / "board.txt")
    assert (tmp_path / "board.txt").read_text() == "mine"
    with pytest.raises(ConfigurationError, match="no format of ours"):
        write_report(example(), tmp_path / "board.pdf")
    assert not (tmp_path / "board.pdf").exists()


def test_a_folder_with_a_dot_in_its_name_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "paper.md").mkdir()
    write_report(example(), tmp_path / "paper.md")
    write_report(example(), tmp_path / "report-2026.11")
    for folder in ("paper.md", "report-2026.11"):
        assert (tmp_path / folder / "report.json").is_file()


def test_every_format_tells_what_is_simulated_and_what_is_published(tmp_path: Path) -> None:
    write_report(example(), tmp_path)
    for ending in FORMATS:
        name = "index.html" if ending == ".html" else f"report{ending}"
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "simulated" in text.lower() and "published" in text.lower(), ending


def test_markdown_says_what_was_left_out_and_what_it_is_compared_with() -> None:
    text = markdown(example())
    assert "## Left out" in text and "compared with: baseline" in text and "kate-eval 0.1.0" in text
    assert "| +6.2 [+3.1, +9.3] p<0.001 |" in text
    assert "| Difference | 95% interval | p (Holm) | p, unadjusted |" in text
    assert "| 34.0 [29.0, 39.0] | 400 |" in text


def test_a_narrow_terminal_keeps_score_difference_errors_and_notes() -> None:
    def text(wide: bool) -> str:
        screen = Console(width=300, record=True)
        for part in shown(example(), wide):
            screen.print(part)
        return screen.export_text()

    assert "Detectable" in text(True) and "Detectable" not in text(False)
    for label in ("Model", "Solver", "Multi-turn", "vs baseline", "Err.", "Notes"):
        assert label in text(False)


def test_the_long_csv_has_every_cell() -> None:
    rows = list(csv.DictReader(StringIO(long_csv(example()))))
    known = sum(value is not None for t in example().tables for r in t.rows for value in r.cells.values())
    assert len(rows) == known
    first = rows[0]
    assert (first["table"], first["column"], float(first["value"])) == (
        "bfcl-v3-measured",
        "multi_turn",
        0.32,
    )


def test_numbers_are_shown_by_their_unit() -> None:
    def column(unit: str, digits: int) -> Column:
        told = {"key": "k", "label": "l", "unit": unit, "group": "cost", "digits": digits}
        return Column.model_validate(told)

    assert figure(column("share", 1), 0.43061) == "43.1" and figure(column("share", 0), 0.71) == "71%"
    assert figure(column("tokens", 0), 40213.4) == "40,213" and figure(column("seconds", 2), 0.363) == "0.36"
    assert figure(column("dollars", 4), 0.000123456) == "0.0001235" and figure(column("text", 0), None) == "-"
    assert figure(column("count", 0), 3) == "3"
    assert figure(column("dollars", 4), 12345.6) == "12350" and figure(column("dollars", 4), 0.0) == "0"
    assert figure(column("dollars", 4), 0.0000123) == "0.0000123"


def test_differences_tell_their_interval_and_corrected_p_value() -> None:
    assert difference(PAIRED) == "+6.2 [+3.1, +9.3] p<0.001" and difference(None) == "-"
    flat = PAIRED.model_copy(update={"low": None, "high": None})
    assert difference(flat) == "+6.2 (no spread)"
    assert (p_value(0.02), p_value(None)) == ("p=0.020", "-")


def test_lines_have_no_control_or_direction_characters() -> None:
    assert line(" a\n\tb\x1b[2J\u202ec ") == "a b [2Jc"


def test_json_is_plain_and_stable(tmp_path: Path) -> None:
    write_report(example(), tmp_path / "a.json")
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["version"] == 1 and found["tables"][0]["rows"][1]["paired"]["p_holm"] == 0.0008
