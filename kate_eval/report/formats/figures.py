"""Numbers and names as people read them."""

import unicodedata
from decimal import Decimal

from kate_eval.report.document import Cell, Column, Paired, Value

UNKNOWN = "-"


def line(text: str) -> str:
    """A text in one line, without characters that move a cursor or turn the direction of writing."""
    seen = (" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)
    return " ".join("".join(c for c in seen if unicodedata.category(c) not in ("Cf", "Cs")).split())


def figure(column: Column, value: Value, interval: bool = False) -> str:
    """A cell's value by its column's unit: shares in percent, "-" for what is not known.

    Args:
        column: of the cell.
        value: of the cell.
        interval: append the 95% interval where there is one, for instance "43.0 [38.1, 48.0]".
    """
    if value is None:
        return UNKNOWN
    if isinstance(value, str):
        return line(value)
    if not isinstance(value, Cell):
        return _number(column, value)
    shown = _number(column, value.value)
    if interval and value.low is not None and value.high is not None:
        shown += f" [{_number(column, value.low)}, {_number(column, value.high)}]"
    return shown


def _number(column: Column, value: float) -> str:
    if column.unit == "share":
        # Rounded to four digits first, as AppWorld's engine does; rates without decimals have a sign.
        return f"{100 * round(value, 4):.{column.digits}f}" + ("" if column.digits else "%")
    if column.unit == "dollars":
        return f"{Decimal(f'{value:.4g}'):f}"  # four digits, never with an exponent
    return f"{value:,.{column.digits}f}"


def difference(found: Paired | None) -> str:
    """Difference in points, interval, corrected p-value: "+6.2 [+3.1, +9.3] p=0.001"."""
    if found is None:
        return UNKNOWN
    if found.low is None or found.high is None:
        return f"{100 * found.difference:+.1f} (no spread)"
    interval = f"[{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    return f"{100 * found.difference:+.1f} {interval} {p_value(found.p_holm)}"


def p_value(p: float | None) -> str:
    """For instance "p=0.020"."""
    if p is None:
        return UNKNOWN
    return f"p={p:.3f}" if p >= 0.001 else "p<0.001"


def points(share: float | None, sign: bool = False) -> str:
    """A share in points."""
    return UNKNOWN if share is None else format(100 * share, "+.1f" if sign else ".1f")
