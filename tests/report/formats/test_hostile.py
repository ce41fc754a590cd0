"""Names from a log are text in every format: no markup, no formula, no command, no escape sequence."""

import csv
import re
from io import StringIO
from typing import Any, cast

import pytest
from hypothesis import example as tried
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from kate_eval.report.document import Document, Flag, Row
from kate_eval.report.formats import csv as csv_format
from kate_eval.report.formats import latex as latex_format
from kate_eval.report.formats import markdown as markdown_format
from kate_eval.report.formats.csv import long_csv, table_csv
from kate_eval.report.formats.figures import line
from kate_eval.report.formats.latex import latex
from kate_eval.report.formats.markdown import markdown
from kate_eval.report.formats.terminal import shown
from tests.report.example import HOSTILE, example

NAMES = (
    HOSTILE,
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "a | b\n| --- |\n| c |",
    "\x1b[2J\x1b]0;title\x07[bold red]x[/]",
    "\\end{tabular}\\input{/etc/passwd} % comment",
    '=HYPERLINK("http://x","y")',
    "\t@SUM(1)",
    "\u202eevil\u202c",
    "{unbalanced",
    "-1+2",
    "&lt;b&gt;",
    "__x__ _y_ a_b_c_ (_z_)",
    "*x* **y**",
    "`code` and ``more``",
    "https://example.com/a_b HTTP://x.example www.example.com <https://e.example> a@b.example",
)


def renamed(name: str) -> Document:
    """The example report, in which every text that may come from a log is this one."""

    def row(old: Row) -> Row:
        return old.model_copy(
            update={
                "model": name,
                "solver": name,
                "label": name,
                "settings": {name: name},
                "part": name,
                "flags": (Flag(code="x", text=name),),
                "cells": {**old.cells, "data_hash": name},
                "logs": tuple(log.model_copy(update={"name": name}) for log in old.logs),
            }
        )

    found = example()
    tables = [t.model_copy(update={"title": name, "rows": tuple(map(row, t.rows))}) for t in found.tables]
    return found.model_copy(update={"tables": tuple(tables), "baseline": name})


@pytest.mark.parametrize("name", NAMES)
def test_markdown_has_neither_markup_nor_further_cells(name: str) -> None:
    text = markdown(renamed(name))
    assert not re.search(r"<[a-zA-Z/!?]", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    rows = [ln for ln in text.splitlines() if ln.startswith("|")]
    bars = [len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows]
    rules = [n for n, row in enumerate(rows) if re.fullmatch(r"(\| -+:? )+\|", row)]
    assert len(rules) > 5
    for start, end in zip(rules, [*(n - 1 for n in rules[1:]), len(rows)], strict=True):
        assert {bars[n] for n in range(start - 1, end)} == {bars[start]}


@pytest.mark.parametrize("name", NAMES)
def test_markdown_shows_names_as_they_are(name: str) -> None:
    """As GitHub's renderer would: tables, strikethrough and bare addresses are markup too."""
    reader = MarkdownIt("commonmark", {"linkify": True}).enable(["table", "strikethrough", "linkify"])
    linkify = cast(Any, reader.linkify)
    linkify.set({"fuzzy_link": False, "fuzzy_email": False})  # GitHub links no bare "example.com"
    escape = markdown_format.escaped(line(name))
    assert "www." not in escape and not re.search(r"[\w]://", escape)
    for text in (escape, f"| a |\n| - |\n| {escape} |"):
        [inline] = [token for token in reader.parse(text) if token.type == "inline"][-1:]
        assert {token.type for token in inline.children or ()} <= {"text"}
        assert "".join(token.content for token in inline.children or ()) == line(name)


@given(st.text(alphabet="_*`~[]()<>&|\\\\:/.w a!1#", max_size=30))
def test_no_text_is_markup(text: str) -> None:
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    plain = line(text)
    [inline] = [t for t in reader.parse(f"x {markdown_format.escaped(plain)}") if t.type == "inline"]
    assert "".join(token.content for token in inline.children or ()) == f"x {plain}".strip()
    assert {token.type for token in inline.children or ()} <= {"text"}


@pytest.mark.parametrize("name", NAMES)
def test_latex_has_our_commands_and_cells_only(name: str) -> None:
    ours = (
        *("usepackage", "begin", "end", "centering", "caption", "resizebox", "ifdim", "width", "linewidth"),
        *("else", "fi", "toprule", "midrule", "bottomrule", "par", "footnotesize", "raggedright"),
        *("textsuperscript", "textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater"),
        "textbar",
    )
    text = latex(renamed(name))
    assert set(re.findall(r"\\([a-zA-Z]+)", text)) <= set(ours)
    body = "\n".join(ln for ln in text.splitlines() if not ln.startswith("%"))
    bare = re.sub(r"\\[\\{}$&#%_]", "", body)
    assert bare.count("{") == bare.count("}") and "#" not in bare and "_" not in bare
    assert re.sub(r"\{!\}\{%$", "", bare, flags=re.M).count("%") == 0
    for table in re.findall(r"\\toprule\n(.*?)\\bottomrule", body, re.S):
        lines = [ln for ln in table.splitlines() if ln.endswith(r"\\")]
        assert len({len(re.findall(r"(?<!\\)&", ln)) for ln in lines}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_csv_has_no_formula_and_its_numbers_are_numbers(name: str) -> None:
    found = renamed(name)
    for text in (*map(table_csv, found.tables), long_csv(found)):
        lines = list(csv.reader(StringIO(text)))
        assert len({len(cells) for cells in lines}) == 1
        for cell in (cell for cells in lines for cell in cells):
            assert not cell.lstrip().startswith(("=", "+", "@")) and "\t" not in cell
            assert not cell.startswith("-") or float(cell) < 0
    rows = list(csv.DictReader(StringIO(table_csv(found.tables[0]))))
    assert float(rows[1]["multi_turn_low"]) == pytest.approx(0.29) and rows[1]["paired_n"] == "398"
    assert float(rows[1]["paired_p_holm"]) == 0.0008 and rows[1]["dollars"] == ""


@pytest.mark.parametrize("name", NAMES)
def test_a_terminal_shows_names_as_they_are_and_obeys_none(name: str) -> None:
    screen = Console(width=400, record=True, force_terminal=False, color_system=None)
    for part in shown(renamed(name)):
        screen.print(part)
    text = screen.export_text()
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
    if name.startswith("\x1b"):
        assert "[bold red]x[/]" in text


@pytest.mark.parametrize("name", NAMES)
def test_json_keeps_names_as_they_are(name: str) -> None:
    found = renamed(name)
    assert Document.from_json(found.to_json()) == found


@given(st.text(max_size=40))
@tried("\\|")
@tried("a\u2028b")
def test_any_text_is_one_line_everywhere(text: str) -> None:
    plain = line(text)
    assert len(plain.splitlines()) <= 1
    for escape in (markdown_format.escaped, latex_format.escaped):
        assert "\n" not in escape(plain)
    written = csv_format.csv_text([[text, 1]])
    [[cell, number]] = csv.reader(StringIO(written))
    assert number == "1" and not cell.lstrip().startswith(("=", "+", "-", "@"))
