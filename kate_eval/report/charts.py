"""Vega-Lite charts of the report's plots: the same for the page, for PNG and for SVG.

Names lie on the vertical axis, where long ones can be read; series differ in colour and in shape, so that
colour alone never carries the meaning. Text of the report stays data: no name gets into an expression.
"""

from collections.abc import Sequence
from typing import Any

from kate_eval.report.document import Axis, Plot

Spec = dict[str, Any]
"""Vega-Lite."""

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
SIMULATED = "SIMULATED: a stochastic policy that knows the answers, not a model"
STEP, GAP = 15, 9
"""Pixels for each series of a name on the vertical axis, and between names."""
_FORMATS = {
    "share": ".0%",
    "count": "d",
    "mean": ".3~g",
    "tokens": "~s",
    "seconds": ".3~g",
    "dollars": "$.3~g",
}
_X, _Y = {"field": "x"}, {"field": "y"}


def chart(plot: Plot, title: bool = True) -> Spec:
    """A plot's chart.

    Args:
        plot: what to show.
        title: whether the chart carries the plot's title, as a picture of its own must. That it is simulated
            is always written into it.
    """
    named = plot.x.unit == "text"
    names = [series.name for series in plot.series]
    spec: Spec = {
        "$schema": SCHEMA,
        "description": f"{SIMULATED}. {plot.title}" if plot.kind == "simulated" else plot.title,
        "data": {"values": _values(plot)},
        "width": 560,
        "height": _rows(plot) * (STEP * len(names) + GAP) if named else 320,
        "encoding": {"color": _color(names), "tooltip": _tooltip(plot)},
        "layer": _by_name(plot) if named else _by_number(plot),
    }
    head = {"text": plot.title if title else "", "subtitle": SIMULATED if plot.kind == "simulated" else ""}
    return spec | ({"title": head} if any(head.values()) else {})


def _rows(plot: Plot) -> int:
    """Names on the vertical axis."""
    return len(plot.x.values) or len({point.x for series in plot.series for point in series.points})


def _values(plot: Plot) -> list[dict[str, Any]]:
    return [
        point.model_dump(exclude_none=True) | {"series": series.name}
        for series in plot.series
        for point in series.points
    ]


def _color(names: Sequence[str]) -> Spec:
    legend = {"title": None, "symbolLimit": 40} if len(names) > 1 else None
    return {"field": "series", "type": "nominal", "scale": {"domain": list(names)}, "legend": legend}


def _tooltip(plot: Plot) -> list[Spec]:
    shown = [
        {"field": "series", "type": "nominal", "title": "Series"},
        {"field": "label", "type": "nominal", "title": "Run"},
        {"field": "x", **_type(plot.x), "title": plot.x.label},
        {"field": "y", **_type(plot.y), "title": plot.y.label},
    ]
    values = [point for series in plot.series for point in series.points]
    if any(point.low is not None for point in values):
        shown += [{"field": end, **_type(plot.y), "title": f"95%, {end}"} for end in ("low", "high")]
    if any(point.n is not None for point in values):
        shown.append({"field": "n", "type": "quantitative", "title": "n"})
    return shown if any(point.label for point in values) else [shown[0], *shown[2:]]


def _type(axis: Axis) -> Spec:
    if axis.unit == "text":
        return {"type": "nominal"}
    precise = ".1%" if axis.unit == "share" else ",.4~r"
    return {"type": "quantitative", "format": precise}


def _by_number(plot: Plot) -> list[Spec]:
    """Score over a number: lines or points with their intervals, and the Pareto front where there is one."""
    scale = {"type": "log", "nice": False} if plot.x.log else {"zero": False, "nice": False}
    x = {**_X, **_axis(plot.x), "scale": {**scale, "padding": 16}}
    if plot.mark == "line":
        x["axis"]["values"] = sorted({p.x for s in plot.series for p in s.points if not isinstance(p.x, str)})
        x["axis"]["labelOverlap"] = True
    y = {**_Y, **_axis(plot.y), "scale": {"zero": False}}
    shape = {"field": "series", "type": "nominal", "scale": {"domain": [s.name for s in plot.series]}}
    layers: list[Spec] = [
        {"mark": {"type": "rule", "opacity": 0.45}, "encoding": {"x": x, **_interval("y", y)}},
        {
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
            "encoding": {"x": x, "y": y, "shape": shape},
        },
    ]
    if plot.mark == "line":
        layers.insert(0, {"mark": {"type": "line"}, "encoding": {"x": x, "y": y}})
    if any(point.front for series in plot.series for point in series.points):
        layers[:0] = _front(x, y)
    return layers


def _front(x: Spec, y: Spec) -> list[Spec]:
    """The points that no other point beats in both, joined by steps and named."""
    only = [{"filter": {"field": "front", "equal": True}}]
    joined = {"type": "line", "interpolate": "step-after", "strokeDash": [4, 4], "opacity": 0.7}
    # One line for all series: without the shared colour's grouping.
    alone = {"x": x, "y": y, "color": {"value": "gray"}, "tooltip": None}
    named = {"type": "text", "align": "left", "dx": 7, "dy": -9, "limit": 220, "fontSize": 10}
    return [
        {"transform": only, "mark": joined, "encoding": alone},
        {"transform": only, "mark": named, "encoding": {**alone, "text": {"field": "label"}}},
    ]


def _by_name(plot: Plot) -> list[Spec]:
    """Score by name: a row for each name, in it a bar or a point with its interval for each series."""
    names = [series.name for series in plot.series]
    y = {
        "field": "x",
        "type": "nominal",
        "sort": list(plot.x.values),
        "scale": {"domain": list(plot.x.values)} if plot.x.values else {},
        "axis": {"title": None, "labelLimit": 230, "grid": len(names) > 1, "tickBand": "extent"},
    }
    offset = {"yOffset": {"field": "series", "sort": names, "scale": {"paddingOuter": 0.4}}}
    x = {"field": "y", **_axis(plot.y), "scale": {"zero": plot.mark == "bar"}}
    place = {"y": y, **(offset if len(names) > 1 else {})}
    if plot.mark == "bar":
        return [{"mark": {"type": "bar"}, "encoding": {**place, "x": x}}]
    shape = {"field": "series", "type": "nominal", "scale": {"domain": names}}
    return [
        {"mark": {"type": "rule", "opacity": 0.45}, "encoding": {**place, **_interval("x", x)}},
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "encoding": {**place, "x": x, "shape": shape},
        },
    ]


def _interval(channel: str, value: Spec) -> Spec:
    return {channel: {**value, "field": "low"}, f"{channel}2": {"field": "high"}}


def _axis(axis: Axis) -> Spec:
    return {"type": "quantitative", "axis": {"title": axis.label, "format": _FORMATS.get(axis.unit, "~g")}}
