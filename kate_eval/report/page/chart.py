"""Vega-Lite charts of the report's plots: the same for the page, for PNG and for SVG.

Names lie on the vertical axis, where long ones can be read; series differ in colour and in shape, so that
colour alone never carries the meaning. Text of the report stays data, without characters that can't be seen:
names stand in values and in the domains of scales; in a `sort`, Vega-Lite would write them into expressions.
"""

from collections.abc import Sequence
from typing import Any

from kate_eval.report.document import Axis, Plot
from kate_eval.report.page.labels import placed, printable, shared_words

Spec = dict[str, Any]
"""Vega-Lite."""

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
SIMULATED = "SIMULATED: a stochastic policy that knows the answers, not a model"
WIDTH, HEIGHT = 560, 320
MOST = 24
"""Series of a plot by name; further ones would make it taller than anyone looks."""
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
_CHOSEN = "chosen"
"""The parameter that a click on the legend sets: other series fade."""
_FADED = {"condition": {"param": _CHOSEN, "value": 1}, "value": 0.1}
_INTERVAL = {"condition": {"param": _CHOSEN, "value": 0.5}, "value": 0.05}


def chart(plot: Plot, title: bool = True) -> Spec:
    """A plot's chart.

    Args:
        plot: what to show.
        title: whether the chart carries the plot's title, as a picture of its own must. That it is simulated
            is always written into it.
    """
    named = plot.x.unit == "text"
    simulated = plot.kind == "simulated"
    lines = ([printable(plot.title)] if title else []) + ([SIMULATED] if simulated else [])
    if named and len(plot.series) > MOST:
        lines.append(f"The first {MOST} of {len(plot.series)} runs")
        plot = plot.model_copy(update={"series": plot.series[:MOST]})
    full = [printable(series.name) for series in plot.series]
    common = shared_words(full)
    names = [_own(name.removeprefix(common)) for name in full]
    spec: Spec = {
        "$schema": SCHEMA,
        "description": f"{SIMULATED}. {plot.title}" if simulated else printable(plot.title),
        "data": {"values": _values(plot, names)},
        "width": WIDTH,
        "height": _rows(plot) * (STEP * len(names) + GAP) if named else HEIGHT,
        "encoding": {"color": _color(names, common), "tooltip": _tooltip(plot)},
        "layer": _by_name(plot, names) if named else _by_number(plot, names),
    }
    head = {"text": lines[0], "subtitle": lines[1:]} if lines else {}
    return spec | ({"title": head if title else head | {"style": "warning"}} if lines else {})


def _rows(plot: Plot) -> int:
    """Names on the vertical axis."""
    return len(plot.x.values) or len({point.x for series in plot.series for point in series.points})


def _values(plot: Plot, names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        point.model_dump(exclude_none=True)
        | {"series": name, "label": printable(point.label), "x": _place(point.x)}
        for series, name in zip(plot.series, names, strict=True)
        for point in series.points
    ]


def _place(x: float | str) -> float | str:
    return _own(printable(x)) if isinstance(x, str) else x


def _own(name: str) -> str:
    """With a space no name is a property of every JavaScript object: Vega stumbles over "constructor"."""
    return f"{name} "


def _color(names: Sequence[str], common: str) -> Spec:
    legend = {"title": common.strip() or None, "symbolLimit": MOST} if len(names) > 1 else None
    return {"field": "series", "type": "nominal", "scale": {"domain": list(names)}, "legend": legend}


def _tooltip(plot: Plot) -> list[Spec]:
    points = [point for series in plot.series for point in series.points]
    run = [{"field": "label", "type": "nominal", "title": "Run"}] if any(p.label for p in points) else []
    ends = [
        {"field": end, **_type(plot.y), "title": f"95%, {end}"}
        for end in ("low", "high")
        if any(p.low is not None for p in points)
    ]
    count = (
        [{"field": "n", "type": "quantitative", "title": "n"}] if any(p.n is not None for p in points) else []
    )
    return [
        {"field": "series", "type": "nominal", "title": "Series"},
        *run,
        {"field": "x", **_type(plot.x), "title": plot.x.label},
        {"field": "y", **_type(plot.y), "title": plot.y.label},
        *ends,
        *count,
    ]


def _type(axis: Axis) -> Spec:
    if axis.unit == "text":
        return {"type": "nominal"}
    return {"type": "quantitative", "format": ".1%" if axis.unit == "share" else ",.4~r"}


def _by_number(plot: Plot, names: Sequence[str]) -> list[Spec]:
    """Score over a number: lines or points with their intervals, and the Pareto front where there is one."""
    scale = {"type": "log", "nice": False} if plot.x.log else {"zero": False, "nice": False}
    x = {"field": "x", **_axis(plot.x), "scale": {**scale, "padding": 16}}
    y = {"field": "y", **_axis(plot.y), "scale": {"zero": False}}
    if plot.mark == "line":
        x["axis"]["values"] = sorted({p.x for s in plot.series for p in s.points if not isinstance(p.x, str)})
        x["axis"]["labelOverlap"] = True
    line = {"mark": {"type": "line"}, "encoding": {"x": x, "y": y, "opacity": _FADED}}
    return [
        *_front(plot, x, y),
        *([line] if plot.mark == "line" else []),
        {"mark": {"type": "rule"}, "encoding": {"x": x, **_interval("y", y), "opacity": _INTERVAL}},
        _points(names, {"x": x, "y": y}),
    ]


def _front(plot: Plot, x: Spec, y: Spec) -> list[Spec]:
    """The points that no other point betters, joined by steps and named where there is room."""
    if not any(point.front for series in plot.series for point in series.points):
        return []
    joined = {"type": "line", "interpolate": "step-after", "strokeDash": [4, 4], "opacity": 0.7}
    # One line for all series: without the shared colour's grouping.
    alone = {"x": x, "y": y, "color": {"value": "gray"}, "tooltip": None}
    labels = []
    for left in (True, False):
        values = [{"x": at.x, "y": at.y, "text": at.text} for at in placed(plot) if at.left == left]
        mark = {"type": "text", "align": "right" if left else "left", "dx": -7 if left else 7, "dy": -9}
        named = {"mark": mark, "encoding": {**alone, "text": {"field": "text"}}}
        labels += [{"data": {"values": values}, **named}] if values else []
    only = [{"filter": {"field": "front", "equal": True}}]
    return [{"transform": only, "mark": joined, "encoding": alone}, *labels]


def _by_name(plot: Plot, names: Sequence[str]) -> list[Spec]:
    """Score by name: a row for each name, in it a bar or a point with its interval for each series."""
    y = {
        "field": "x",
        "type": "nominal",
        "scale": {"domain": [_place(value) for value in plot.x.values]} if plot.x.values else {},
        "axis": {"title": None, "labelLimit": 230, "grid": len(names) > 1, "tickBand": "extent"},
    }
    offset = {"yOffset": {"field": "series", "scale": {"domain": list(names), "paddingOuter": 0.4}}}
    place = {"y": y, **(offset if len(names) > 1 else {})}
    x = {"field": "y", **_axis(plot.y), "scale": {"zero": plot.mark == "bar"}}
    if plot.mark == "bar":
        return [{"params": _params(), "mark": "bar", "encoding": {**place, "x": x, "opacity": _FADED}}]
    rule = {"mark": {"type": "rule"}, "encoding": {**place, **_interval("x", x), "opacity": _INTERVAL}}
    return [rule, _points(names, {**place, "x": x})]


def _points(names: Sequence[str], place: Spec) -> Spec:
    shape = {"field": "series", "type": "nominal", "scale": {"domain": list(names)}}
    encoding = {**place, "shape": shape, "opacity": _FADED}
    return {"params": _params(), "mark": {"type": "point", "filled": True, "size": 65}, "encoding": encoding}


def _params() -> list[Spec]:
    return [{"name": _CHOSEN, "select": {"type": "point", "fields": ["series"]}, "bind": "legend"}]


def _interval(channel: str, value: Spec) -> Spec:
    return {channel: {**value, "field": "low"}, f"{channel}2": {"field": "high"}}


def _axis(axis: Axis) -> Spec:
    return {"type": "quantitative", "axis": {"title": axis.label, "format": _FORMATS.get(axis.unit, "~g")}}
