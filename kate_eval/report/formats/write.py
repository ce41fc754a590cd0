"""Where a report goes: to one file, in the format of its ending, or to a folder in all of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from kate_eval.errors import ConfigurationError
from kate_eval.report.document import Document
from kate_eval.report.formats.csv import write_csv, write_tables
from kate_eval.report.formats.latex import write_latex
from kate_eval.report.formats.markdown import write_markdown
from kate_eval.report.page.html import write_html
from kate_eval.report.page.pictures import write_pictures


def write_json(document: Document, file: Path) -> None:
    """Write the document itself."""
    file.write_text(document.to_json(), encoding="utf-8")


FORMATS: dict[str, Callable[[Document, Path], None]] = {
    ".md": write_markdown,
    ".csv": write_csv,
    ".json": write_json,
    ".tex": write_latex,
    ".html": write_html,
}
"""Ending of a file -> what writes the report into one."""
PAGE = "index.html"
"""The page in a report's folder, under the name that hosts show."""
PICTURES = "plots"
"""The folder, in a report's, with a PNG and an SVG for each plot."""
TABLES = "tables"
"""The folder, in a report's, with a CSV file for each table."""


def require_format(place: Path) -> None:
    """Check that a report can be written to a place, before it is made.

    Raises:
        ConfigurationError: the place is a file, or would be, without an ending of FORMATS.
    """
    if place.is_dir() or place.suffix.lower() in FORMATS:
        return
    if place.is_file() or (place.suffix and place.suffix[1:].isalpha()):
        known = ", ".join(FORMATS)
        raise ConfigurationError(
            f"{place} is no format of ours; end it in {known}, or name a folder without an ending"
        )


def write_report(document: Document, place: Path, viewers: Mapping[str, str] | None = None) -> list[Path]:
    """Write a report; what a folder held of an older one is replaced.

    Args:
        document: the report.
        place: a file with an ending of FORMATS, or else a folder.
        viewers: of the page in the folder, as `write_html` takes them.

    Returns:
        What was written.

    Raises:
        ConfigurationError: the place is a file without such an ending.
    """
    if (writer := FORMATS.get(place.suffix.lower())) is not None and not place.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        writer(document, place)
        return [place]
    require_format(place)
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for ending, write in FORMATS.items():
        if write is not write_html:
            written.append(place / f"report{ending}")
            write(document, written[-1])
    write_html(document, place / PAGE, viewers)
    write_tables(document, place / TABLES)
    write_pictures(document, place / PICTURES)
    return [*written, place / PAGE, place / TABLES, place / PICTURES]
