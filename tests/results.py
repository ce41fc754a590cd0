"""Results in Markdown pages, rendered from committed reports: `python -m tests.results PAGE ...` renews them.

A page names the report between two marks, and what stands between them is rendered from it:

    <!-- results: docs/results/2026-11-25-demo.json -->
    <!-- /results -->

Words after the report's path choose the tables whose titles begin so.
"""

import re
import sys
from pathlib import Path

from kate_eval.report.document import Document
from kate_eval.report.formats.markdown import escaped
from kate_eval.report.formats.views import View, views

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(<!-- results: (\S+)(?: ([^\n]+))? -->\n)(.*?)(<!-- /results -->)", re.DOTALL)
"""A mark with the report's path from the root and a title's beginning, what is between, the closing mark."""
_LEFT_OUT = {"Detectable", "Tokens", "Agree", "Hits", "Interactions", "Err.", "Notes"}


def block(document: Document, title: str = "") -> str:
    """The leaderboards of a report, with fewer columns than in its own Markdown; simulated ones apart."""
    boards = {
        table.title
        for table in document.tables
        if table.role == "leaderboard" and table.title.startswith(title)
    }
    shown = [
        f"**{escaped(view.title)}**\n\n{_table(view)}" for view in views(document) if view.title in boards
    ]
    return "\n" + "\n\n".join(shown) + "\n\n"


def _table(view: View) -> str:
    kept = [number for number, part in enumerate(view.parts) if part.label not in _LEFT_OUT]
    head = [escaped(view.parts[number].label) for number in kept]
    rule = ["---" if view.parts[number].text else "---:" for number in kept]
    text = {number for number in kept if view.parts[number].text}
    body = [[escaped(cells[n]) if n in text else cells[n] for n in kept] for cells in view.lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *body))


def rendered(page: str) -> str:
    """A page's text with every block as its report says."""

    def fill(found: re.Match[str]) -> str:
        document = Document.from_json((ROOT / found[2]).read_text(encoding="utf-8"))
        return found[1] + block(document, found[3] or "") + found[5]

    return BLOCK.sub(fill, page)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(rendered(Path(name).read_text(encoding="utf-8")), encoding="utf-8")
