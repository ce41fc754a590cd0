"""Plots as PNG and SVG: real pictures, without network, of whatever names."""

import io
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image

from kate_eval.errors import ConfigurationError
from kate_eval.report.document import Document, Series
from kate_eval.report.page.pictures import browser_library, write_pictures
from tests.report.example import HOSTILE, example


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Document, Path]:
    """Two plots of simulated runs with hostile names, written over an older report's."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("older.png", "notes.txt"):
        (folder / name).touch()
    names = (HOSTILE, "constructor", "__proto__", "\u2028\x00\u202e", "x" * 3000)
    plots = []
    for plot in example().plots[1:3]:
        series = tuple(Series(name=name, points=plot.series[0].points) for name in names)
        plots.append(plot.model_copy(update={"series": series, "kind": "simulated"}))
    document = example().model_copy(update={"plots": tuple(plots)})
    write_pictures(document, folder)
    return document, folder


def test_each_plot_is_an_svg_that_says_it_is_simulated(written: tuple[Document, Path]) -> None:
    document, folder = written
    for plot in document.plots:
        root = ElementTree.fromstring((folder / f"{plot.id}.svg").read_text(encoding="utf-8"))
        text = " ".join(root.itertext())
        assert "SIMULATED" in text and plot.title in text and "<script>alert(1)</script>" in text
        assert not [element for element in root.iter() if element.tag.endswith(("script", "foreignObject"))]


def test_each_plot_is_a_png_with_something_on_it(written: tuple[Document, Path]) -> None:
    document, folder = written
    for plot in document.plots:
        picture = Image.open(io.BytesIO((folder / f"{plot.id}.png").read_bytes())).convert("L")
        assert picture.width > 1500 and len(picture.getcolors(256) or ()) > 50


def test_pictures_of_an_older_report_go_and_other_files_stay(written: tuple[Document, Path]) -> None:
    document, folder = written
    kept = {f"{plot.id}{ending}" for plot in document.plots for ending in (".png", ".svg")}
    assert {file.name for file in folder.iterdir()} == kept | {"notes.txt"}


def test_without_the_library_the_error_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(ConfigurationError, match="pip install 'vl-convert-python"):
        write_pictures(example(), tmp_path)
    browser_library.cache_clear()
    with pytest.raises(ConfigurationError, match="vl-convert"):
        browser_library()
