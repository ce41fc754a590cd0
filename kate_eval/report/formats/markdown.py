"""The report as Markdown (GitHub's), for a file or a pull request."""

import re
from collections.abc import Sequence
from pathlib import Path

from kate_eval.report.document import Document
from kate_eval.report.formats.figures import line
from kate_eval.report.formats.views import View, views

_ENTITY, _TAG = re.compile(r"&(?=#?\w+;)"), re.compile(r"<(?=[a-zA-Z/!?])")
_SPECIAL = re.compile(r"([\\`*\[\]|~])")
_EMPHASIS = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
"""Underscores that may begin or end emphasis; within a word (multi_turn_base) they are text."""
_ADDRESS = re.compile(r"(?<=\w):(?=//)|(?<=www)\.", re.IGNORECASE)
"""What GitHub knows a bare address by; an escaped mark breaks it and is shown as it is."""


def markdown(document: Document) -> str:
    """The whole report."""
    parts = ["# Leaderboard"]
    told: set[str] = set()
    for view in views(document):
        notes = [note for note in view.note.splitlines() if note not in told]
        told.update(notes)
        parts += [f"## {escaped(view.title)}", *map(escaped, notes), _table(view)]
    if document.notes:
        parts += ["## Left out", "\n".join(f"- {escaped(line(note.text))}" for note in document.notes)]
    versions = ", ".join(f"{name} {version}" for name, version in document.tool_versions.items())
    parts.append(f"{document.generated}; {versions}; compared with: {escaped(line(document.baseline))}.")
    return "\n\n".join(parts) + "\n"


def write_markdown(document: Document, file: Path) -> None:
    """Write it to a file."""
    file.write_text(markdown(document), encoding="utf-8")


def escaped(text: str) -> str:
    """A text of which nothing is markup, neither Markdown's nor HTML's, nor an address of the web.

    Of an e-mail's address GitHub makes a link however it is escaped.
    """
    plain = _SPECIAL.sub(r"\\\1", _TAG.sub("&lt;", _ENTITY.sub("&amp;", text)))
    words = _EMPHASIS.sub(lambda found: "\\_" * len(found.group()), plain)
    return _ADDRESS.sub(lambda found: f"\\{found.group()}", words)


def _table(view: View) -> str:
    head = [escaped(part.label) for part in view.parts]
    rule = ["---" if part.text else "---:" for part in view.parts]
    body = [
        [escaped(cell) if part.text else cell for part, cell in zip(view.parts, cells, strict=True)]
        for cells in view.lines
    ]
    return "\n".join(_row(cells) for cells in (head, rule, *body))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
