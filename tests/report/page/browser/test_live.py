"""A served page takes newer numbers and keeps the reader's place; a bundled log opens in the viewer."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from kate_eval.report.document import Document
from kate_eval.report.make import make_document
from kate_eval.report.page import live
from kate_eval.report.page.bundle import bundle
from kate_eval.report.page.html import write_html
from kate_eval.report.page.live import serving
from kate_eval.report.read import read_logs
from kate_eval.solvers.kate import baseline
from kate_eval.tasks.bfcl import bfcl
from tests.listening import Listening
from tests.report.example import example, row
from tests.report.page.browser.conftest import Browser

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


class Growing:
    """A report that has a row for each log in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.grow()

    def grow(self) -> None:
        """Another log."""
        (self.folder / f"{len(list(self.folder.iterdir()))}.eval").touch()

    def __call__(self) -> Document:
        document = example()
        [first, *others] = document.tables
        numbers = range(1, 2 + len(list(self.folder.iterdir())))
        rows = tuple(row(n, f"model-{n}", "kate", "measured") for n in numbers)
        table = first.model_copy(update={"rows": rows})
        return document.model_copy(
            update={"tables": (table, *others), "generated": f"2026-11-25T08:00:{len(rows):02}Z"}
        )


def test_new_rows_come_and_sorting_and_filters_stay(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "EVERY", 0.1)
    make = Growing(tmp_path)
    with serving(make, (tmp_path,), port=0) as url:
        browser.open(url)
        browser.driver.find_element("css selector", "[name=text]").send_keys("model")
        browser.press("#bfcl-v3-measured thead th:nth-child(3) button")
        cells = "[...document.querySelectorAll('#bfcl-v3-measured tbody td:nth-child(2)')]"
        names = f"{cells}.map((cell) => cell.innerText).join()"
        assert browser.js(names) == "model-2,model-1"
        focused = browser.js("document.activeElement.dataset.key")
        make.grow()
        assert browser.until(f"{names} === 'model-3,model-2,model-1'")
        assert browser.js("document.querySelector('[name=text]').value") == "model"
        assert browser.js("document.activeElement.dataset.key") == focused
        assert browser.told() == []
        assert all(asked.startswith(url) for asked in browser.requested())
    browser.until("document.getElementById('live').innerText.includes('does not answer')")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def static(tmp_path: Path) -> Iterator[str]:
    """A static host of tmp_path/report."""
    handler: Any = partial(_Quiet, directory=str(tmp_path / "report"))
    with Listening(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_row_s_log_opens_in_the_bundled_viewer(
    browser: Browser, static: str, run: Any, tmp_path: Path
) -> None:
    run(bfcl(categories="multi_turn_base"), "simulated/perfect", baseline(), limit=1)
    document = make_document(read_logs(tmp_path / "logs"))
    report = tmp_path / "report"
    write_html(document, report / "index.html", bundle(document.folders, report))
    browser.open(static)
    browser.js("(document.querySelector('td a').target = '', true)")
    browser.press("td a")
    browser.until(
        "location.pathname.includes('viewer') && document.body.innerText.includes('multi_turn_base_1')"
    )
