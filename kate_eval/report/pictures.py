"""The plots as PNG and SVG for papers, and the library that draws them in a browser: vl-convert has both."""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from kate_eval.errors import ConfigurationError
from kate_eval.report.charts import chart
from kate_eval.report.document import Document
from kate_eval.report.palette import config

if TYPE_CHECKING:
    import types

SCALE = 3.0
"""Pixels of a PNG for each of its 72 points an inch: 216 an inch."""


def write_pictures(document: Document, folder: Path) -> list[Path]:
    """Write PLOT.png and PLOT.svg of every plot, in the light theme.

    Returns:
        The files.

    Raises:
        ConfigurationError: vl-convert is not installed.
    """
    vl_convert = _library()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for plot in document.plots:
        spec, look = chart(plot), config("light")
        svg, png = folder / f"{plot.id}.svg", folder / f"{plot.id}.png"
        # No URL may be read: a chart has all its data in it.
        drawn: str = vl_convert.vegalite_to_svg(spec, config=look, allowed_base_urls=[])
        svg.write_text(drawn, encoding="utf-8")
        png.write_bytes(vl_convert.svg_to_png(drawn, scale=SCALE))
        written += [svg, png]
    return written


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
