"""The report as LaTeX tables for a paper: booktabs, one `table` each; flags are footnotes."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from kate_eval.report.document import Document
from kate_eval.report.formats.figures import line
from kate_eval.report.formats.views import View, views

HEAD = r"""% Needs \usepackage{booktabs,graphicx}; names outside ASCII need LuaLaTeX or XeLaTeX.
"""
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "{''}",
    "`": "{`}",
    "[": "{[}",  # after \\ a bare one begins an argument
    "]": "{]}",
}
_PATTERN = re.compile("|".join(map(re.escape, _SPECIAL)))


def latex(document: Document) -> str:
    """All tables; what there is to know of one stands in comments above it."""
    return "\n".join([HEAD, *(_table(view) for view in views(document))])


def write_latex(document: Document, file: Path) -> None:
    """Write it to a file."""
    file.write_text(latex(document), encoding="utf-8")


def escaped(text: str) -> str:
    """A text that LaTeX typesets as it stands."""
    return _PATTERN.sub(lambda found: _SPECIAL[found.group()], text)


def _number(text: str) -> str:
    return re.sub(r"(?<![\w.])-(?=\d)", "$-$", escaped(text))


def _table(view: View) -> str:
    kept = [number for number, part in enumerate(view.parts) if part.label != "Notes"]
    layout = "".join("l" if view.parts[number].text else "r" for number in kept)
    head = " & ".join(escaped(line(view.parts[number].label)) for number in kept)
    marks = _marks(view)
    return "\n".join(
        [
            *(f"% {line(note)}" for note in view.note.splitlines()),
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(line(view.title))}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{layout}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *(_row(view, at, kept, marks) for at in range(len(view.rows))),
            r"\bottomrule",
            r"\end{tabular}}",
            *(
                rf"\par\footnotesize\raggedright \textsuperscript{{{number}}} {escaped(text)}"
                for text, number in marks.items()
            ),
            r"\end{table}",
            "",
        ]
    )


def _marks(view: View) -> dict[str, int]:
    """What makes rows not like for like, numbered for footnotes."""
    texts = dict.fromkeys(line(flag.text) for row in view.rows for flag in row.flags)
    return {text: number for number, text in enumerate(texts, 1)}


def _row(view: View, at: int, kept: Sequence[int], marks: Mapping[str, int]) -> str:
    cells = [
        escaped(view.lines[at][number]) if view.parts[number].text else _number(view.lines[at][number])
        for number in kept
    ]
    own = ", ".join(str(marks[line(flag.text)]) for flag in view.rows[at].flags)
    if own:
        cells[0] += rf"\textsuperscript{{{own}}}"
    return " & ".join(cells) + r" \\"
