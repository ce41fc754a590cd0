"""Colours and fonts of the charts, as Vega-Lite configuration: one for light paper, one for dark screens.

The series' colours are told apart with the common colour-vision deficiencies and stand out by at least 3:1
against their background.
"""

from typing import Any, Literal

Theme = Literal["light", "dark"]

_INK = {"light": "#1c2024", "dark": "#e6e8eb"}
_MUTED = {"light": "#5b6570", "dark": "#a3adb8"}
_LINES = {"light": "#dfe3e8", "dark": "#363d47"}
_PAPER = {"light": "#ffffff", "dark": "#171b21"}
_WARNING = {"light": "#9a3412", "dark": "#fdba74"}
_SERIES = {
    "light": ["#0a63b0", "#c2410c", "#0f766e", "#a21caf", "#a16207", "#475569", "#be123c", "#4d7c0f"],
    "dark": ["#6cb6ff", "#ff9e64", "#4fd6be", "#e49bf7", "#f0c75e", "#b0bccb", "#ff8a9b", "#b3d96c"],
}

# One fewer than colours: together they tell 56 series apart.
_SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right"]


def config(theme: Theme) -> dict[str, Any]:
    """The configuration of a theme."""
    ink, muted, lines = _INK[theme], _MUTED[theme], _LINES[theme]
    return {
        "font": "system-ui, 'DejaVu Sans', sans-serif",
        "background": _PAPER[theme],
        "view": {"stroke": lines},
        "range": {"category": _SERIES[theme], "symbol": _SHAPES},
        "title": {
            "color": ink,
            "subtitleColor": _WARNING[theme],
            "subtitleFontWeight": "bold",
            "fontSize": 13,
            "anchor": "start",
        },
        "axis": {
            "labelColor": muted,
            "titleColor": ink,
            "gridColor": lines,
            "domainColor": lines,
            "tickColor": lines,
            "labelFontSize": 11,
            "labelSeparation": 6,
        },
        "legend": {
            "labelColor": ink,
            "titleColor": ink,
            "labelLimit": 420,
            "orient": "bottom",
            "columns": 1,
            "direction": "vertical",
            "symbolOpacity": 1,
        },
        "text": {"color": muted},
        "style": {"warning": {"fill": _WARNING[theme], "fontSize": 12}},
    }
