"""The report as one HTML file that needs nothing else: data, styles and scripts are in it, and no network.

What the page may do is limited by its Content-Security-Policy: scripts run only if their hash is in it, and
nothing can be fetched (a live page: only from its own server). Text of the report goes into the page as data
in JSON and from there into text nodes; nothing of it is ever parsed as HTML.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from kate_eval.report.document import Document
from kate_eval.report.page.chart import chart
from kate_eval.report.page.palette import config
from kate_eval.report.page.pictures import browser_library

SCRIPTS = ("format", "table", "filters", "charts", "theme", "blocks", "main")
"""Files that make up the page's own script, in this order."""
VIEWER = "http://127.0.0.1:7575/"
"""Where `inspect view` answers by default."""
_FILES = files("kate_eval.report.page") / "files"


def write_html(document: Document, file: Path, viewers: Mapping[str, str] | None = None) -> None:
    """Write the page.

    Args:
        document: the report.
        file: the page's.
        viewers: folder of logs, as the document names it -> URL of a viewer of its logs, relative to the
            page. Logs of other folders are linked to where `inspect view` answers by default.

    Raises:
        ConfigurationError: vl-convert is not installed.
    """
    file.write_text(html(document, viewers), encoding="utf-8")


def html(document: Document, viewers: Mapping[str, str] | None = None, live: bool = False) -> str:
    """The page's text; a live page asks its server for newer data."""
    library, script, style = _library(), _own("js", *SCRIPTS), _own("css", "page")
    return Template((_FILES / "page.html").read_text(encoding="utf-8")).substitute(
        policy=_policy([library, script], style, live),
        live="true" if live else "false",
        style=style,
        data=_safe(page_data(document, viewers)),
        library=library,
        script=script,
    )


def page_data(document: Document, viewers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the page shows: the report, with charts in place of the plots' data."""
    plots = [
        plot.model_dump(mode="json", include={"id", "title", "board", "kind", "x", "y", "note"})
        | {"spec": chart(plot, title=False)}
        for plot in document.plots
    ]
    return document.model_dump(mode="json", exclude={"plots"}) | {
        "plots": plots,
        "themes": {"light": config("light"), "dark": config("dark")},
        "viewers": dict(viewers or {}),
        "viewer": VIEWER,
    }


def _safe(data: Mapping[str, Any]) -> str:
    """JSON that can't end the script element that it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _library() -> str:
    return f"/*!\n{(_FILES / 'licenses.txt').read_text(encoding='utf-8')}*/\n{browser_library()}"


def _own(kind: str, *names: str) -> str:
    return "\n".join((_FILES / f"{name}.{kind}").read_text(encoding="utf-8") for name in names)


def _policy(scripts: list[str], style: str, live: bool) -> str:
    """Nothing from outside; scripts and style by their hashes alone."""
    allowed = {
        "default-src": "'none'",
        "script-src": " ".join(_hash(script) for script in scripts),
        "style-src": _hash(style),
        "img-src": "data:",
        "connect-src": "'self'" if live else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
