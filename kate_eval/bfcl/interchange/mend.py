"""Halves of characters, at which the official tool stops: it can't write them to its score file.

Such a half (of an emoji, as models leave it) is written as U+FFFD instead. No gold answer holds either, so
that no verdict changes.
"""

import re
from typing import Any

from kate_eval.bfcl.categories import Mode

_WHOLE = r"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
_ESCAPE = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_IN_JSON = re.compile(f"{_WHOLE}|{_ESCAPE}")
_IN_PYTHON = re.compile(rf"()(?:{_ESCAPE}|\\U0000[dD][89a-fA-F][0-9a-fA-F]{{2}})")
"""In Python text two escaped halves are no character."""
_HALF = re.compile("[\ud800-\udfff]")


def mended(result: Any, mode: Mode) -> Any:
    """A result without halves of characters; the same one where it has none.

    Args:
        result: in the shape of the official result files.
        mode: whether its texts are JSON or Python.
    """
    if isinstance(result, str):
        escapes = _IN_JSON if mode == "fc" else _IN_PYTHON
        return _HALF.sub("\ufffd", escapes.sub(lambda found: found[1] or "\\ufffd", result))
    if isinstance(result, list):
        return [mended(item, mode) for item in result]
    if isinstance(result, dict):
        return {mended(key, mode): mended(value, mode) for key, value in result.items()}
    return result
