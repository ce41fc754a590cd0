"""Names that are code: the page shows them and runs nothing, and its policy would stop what got in."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from kate_eval.report.document import Document, Flag, Series
from tests.listening import Listening
from tests.report.example import example, row
from tests.report.page.browser.conftest import Browser, written

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NAMES = [
    "</script><script>window.owned = 1</script>",
    "<img src=x onerror='window.owned = 1'>",
    "--><svg onload=window.owned=1>",
    "javascript:window.owned=1",
    "__proto__",
    "constructor",
    "{{constructor.constructor('window.owned=1')()}}",
    "');window.owned=1;//",
    "datum.x + warn('owned')",
    "\u2028\u2029</SCRIPT >",
    "\u202eright to left\u0000",
    "x" * 5000,
]


def hostile() -> Document:
    """The example with these names everywhere that a name may stand."""
    document = example()
    [first, *others] = document.tables
    flags = tuple(Flag(code=name, text=name) for name in NAMES)
    rows = tuple(
        row(n, name, name, "measured", label=name, settings={name: name}, flags=flags)
        for n, name in enumerate(NAMES, 10)
    )
    table = first.model_copy(update={"rows": rows, "title": NAMES[0], "note": NAMES[1]})
    plots = []
    for plot in document.plots:
        points = tuple(
            point.model_copy(update={"label": NAMES[1], "row": None}) for point in plot.series[0].points
        )
        series = tuple(Series(name=name, points=points) for name in NAMES)
        plots.append(plot.model_copy(update={"series": series, "title": NAMES[0], "note": NAMES[1]}))
    return document.model_copy(
        update={
            "tables": (table, *others),
            "plots": tuple(plots),
            "notes": flags,
            "folders": (NAMES[0],),
            "tool_versions": {NAMES[1]: NAMES[0]},
        }
    )


class Counting(Listening):
    """A server that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Noting)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}/"


class _Noting(BaseHTTPRequestHandler):
    server: Counting

    def handle_one_request(self) -> None:
        """Note the first line, whatever it is."""
        self.server.asked.append(self.rfile.readline().decode())
        self.close_connection = True


@pytest.fixture
def listener() -> Iterator[Counting]:
    """Such a server."""
    with Counting() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def opened(browser: Browser, pages: Path) -> Browser:
    """The browser with that page."""
    browser.open(written(hostile(), pages / "hostile.html"))
    return browser


def test_names_are_shown_and_nothing_of_them_runs(opened: Browser) -> None:
    shown = opened.texts("#bfcl-v3-measured tbody td:nth-child(2)")
    assert shown[:2] == NAMES[:2] and len(shown) == len(NAMES)
    assert opened.js("window.owned") is None
    assert opened.js("document.scripts.length") == 3 and opened.js("document.images.length") == 0
    assert opened.told() == []
    for select in ("board", "model", "solver", "flag"):
        opened.js(
            "(() => { const select = document.querySelector(`select[name=${arguments[0]}]`);"
            " for (const option of [...select.options]) {"
            " select.value = option.value; select.dispatchEvent(new Event('change')); } })()",
            select,
        )
    assert opened.js("window.owned") is None


def insert(markup: str) -> str:
    """JavaScript that parses markup into the page."""
    return f"document.body.insertAdjacentHTML('beforeend', `{markup}`)"


@pytest.mark.parametrize(
    "attempt",
    [
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'owned = 1'}))",
        insert("<img src=x onerror=window.owned=1>"),
        insert("<img src=URL>"),
        insert("<form action=URL><button id=go></form>") + "; document.getElementById('go').click()",
        insert("<iframe src=URL></iframe>"),
        insert("<link rel=stylesheet href=URL>"),
        "fetch('URL').catch(() => {})",
        "navigator.sendBeacon('URL', 'x')",
        "setTimeout(() => Function('window.owned = 1')())",
    ],
)
def test_the_policy_stops_what_a_name_would_try(opened: Browser, listener: Counting, attempt: str) -> None:
    opened.driver.execute_script(attempt.replace("URL", listener.url))
    opened.driver.execute_async_script("setTimeout(arguments[0], 150)")
    assert opened.js("window.owned") is None
    assert any("Content Security Policy" in message for message in opened.told())
    assert listener.asked == []
