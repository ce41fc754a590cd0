"""Charts as Vega-Lite: what is drawn of each kind of plot, and that a simulated one says so."""

import json
from typing import Any

import pytest

from kate_eval.report.document import Plot, Series
from kate_eval.report.page.chart import SIMULATED, chart
from tests.report.example import example

PLOTS = {plot.name: plot for plot in example().plots}


def simulated(plot: Plot) -> Plot:
    """The same plot of simulated runs."""
    return plot.model_copy(update={"kind": "simulated"})


def marks(plot: Plot) -> list[str]:
    """The marks of a plot's chart."""
    layers = chart(plot)["layer"]
    return [layer["mark"] if isinstance(layer["mark"], str) else layer["mark"]["type"] for layer in layers]


def test_lines_points_and_bars_have_their_intervals() -> None:
    assert marks(PLOTS["width"])[-3:] == ["line", "rule", "point"]
    assert marks(PLOTS["tokens"]) == ["line", "text", "rule", "point"]
    assert marks(PLOTS["forms"]) == ["rule", "point"] and marks(PLOTS["failures"]) == ["bar"]


@pytest.mark.parametrize("name", list(PLOTS))
@pytest.mark.parametrize("title", [True, False])
def test_a_simulated_chart_says_so_and_another_does_not(name: str, title: bool) -> None:
    plot = PLOTS[name]  # type: ignore[index]
    said, unsaid = (json.dumps(chart(p, title)) for p in (simulated(plot), plot))
    assert said.count(SIMULATED) == 2 and "SIMULATED" not in unsaid


def test_a_picture_has_a_title_and_a_figure_of_the_page_has_its_own() -> None:
    plot = PLOTS["width"]
    assert chart(plot)["title"]["text"] == plot.title and "title" not in chart(plot, title=False)


def strings(found: Any, key: str = "") -> list[tuple[str, str]]:
    """Every string of a specification, with the key that it stands under."""
    if isinstance(found, dict):
        return [pair for name, value in found.items() for pair in strings(value, name)]
    if isinstance(found, list):
        return [pair for value in found for pair in strings(value, key)]
    return [(key, found)] if isinstance(found, str) else []


@pytest.mark.parametrize("name", list(PLOTS))
def test_names_of_a_report_stand_in_values_domains_and_titles_alone(name: str) -> None:
    plot = PLOTS[name]  # type: ignore[index]
    named = plot.model_copy(
        update={"series": tuple(Series(name=n, points=plot.series[0].points) for n in "PQ")}
    )
    places = {key for key, text in strings(chart(named)) if text.strip() in ("P", "Q")}
    assert places <= {"series", "domain"} and places


def test_a_log_axis_has_no_zero_and_a_bar_starts_at_it() -> None:
    x = chart(PLOTS["width"])["layer"][-1]["encoding"]["x"]
    assert x["scale"]["type"] == "log" and "zero" not in x["scale"]
    assert chart(PLOTS["failures"])["layer"][0]["encoding"]["x"]["scale"] == {"zero": True}
