"""The README and the docs keep their promises: code runs, links hold, nothing is left to fill in."""

import re
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.solver import SolverSpec

from kate_eval.report.document import Document
from kate_eval.tasks.bfcl import bfcl
from tests.results import BLOCK, rendered

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "benchmarks/README.md",
    *(ROOT / "docs").glob("*.md"),
]


def test_the_solver_in_the_readme_plays(run: Any, tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "plain.py").write_text(code, encoding="utf-8")
    solver = SolverSpec(str(tmp_path / "plain.py"))
    log = run(bfcl(categories="multi_turn_base"), "simulated/perfect", solver, limit=2)
    assert [s.scores["bfcl_verdict"].value for s in log.samples] == ["C", "C"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_are_complete_and_their_links_hold(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"@\w+@|\b(?:TODO|FIXME|RESULTS_TABLE|PARITY_CASES|TESTED_ON)\b", text)
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))])
def test_results_are_those_of_their_committed_report(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert rendered(text) == text, f"renew it: python -m tests.results {page.relative_to(ROOT)}"
    for _, name, _, shown, _ in BLOCK.findall(text):
        report = Document.from_json((ROOT / name).read_text(encoding="utf-8"))
        assert re.match(r"\d{4}-\d\d-\d\d", Path(name).name) and Path(name).name[:10] == report.generated[:10]
        assert not [folder for folder in report.folders if Path(folder).is_absolute()]
        if any(table.kind == "simulated" for table in report.tables):
            assert "(SIMULATED)" in shown and "simulated" in text.lower().split("<!-- results")[0]


def test_every_page_of_the_docs_is_in_the_site_s_navigation() -> None:
    listed = set(re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    assert {page.relative_to(ROOT).as_posix() for page in PAGES} == listed


def test_pages_have_the_length_they_promise() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150
    assert len((ROOT / "docs/architecture.md").read_text().splitlines()) < 40
