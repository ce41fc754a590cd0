"""The plots as PNG and SVG for papers, and the library that draws them in a browser: vl-convert has both."""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from kate_eval.errors import ConfigurationError
from kate_eval.report.document import Document
from kate_eval.report.page.chart import chart
from kate_eval.report.page.palette import config

if TYPE_CHECKING:
    import types

SCALE = 3.0
"""Pixels of a PNG for each of its 72 points an inch: 216 an inch."""


def write_pictures(document: Document, folder: Path) -> None:
    """Write PLOT.png and PLOT.svg of every plot, in the light theme; those of plots that are no more go.

    Raises:
        ConfigurationError: vl-convert is not installed.
    """
    vl_convert, look = _library(), config("light")
    folder.mkdir(parents=True, exist_ok=True)
    for plot in document.plots:
        # No URL may be read: a chart has all its data in it.
        drawn: str = vl_convert.vegalite_to_svg(chart(plot), config=look, allowed_base_urls=[])
        (folder / f"{plot.id}.svg").write_text(drawn, encoding="utf-8")
        (folder / f"{plot.id}.png").write_bytes(vl_convert.svg_to_png(drawn, scale=SCALE))
    names = {plot.id for plot in document.plots}
    for file in [*folder.glob("*.svg"), *folder.glob("*.png")]:
        if file.stem not in names:
            file.unlink()


@cache
def browser_library() -> str:
    """JavaScript that defines `vegaEmbed`: Vega, Vega-Lite and Vega-Embed with all that they need.

    Raises:
        ConfigurationError: vl-convert is not installed.
    """
    code: str = _library().javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # In a page's script element only these could end or change it; there is none today.
    if re.search(r"</script|<!--", code, re.IGNORECASE):
        raise ConfigurationError(
            "This version of vl-convert can't be embedded in a page: install vl-convert-python<2"
        )
    return code


def _library() -> "types.ModuleType":
    try:
        import vl_convert
    except ImportError as ex:
        raise ConfigurationError(
            "The page and the pictures of the report need vl-convert: pip install 'vl-convert-python>=1.9,<2'"
        ) from ex
    return vl_convert
