"""A real Chromium, headless, with an empty profile and no way out of this machine."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from kate_eval.report.document import Document
from kate_eval.report.page.html import write_html

INSTALL = "apt-get install -y chromium chromium-driver"
DESKTOP, PHONE = (1400, 900), (390, 844)
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


class Browser:
    """The browser as the tests use it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str, size: tuple[int, int] = DESKTOP, scheme: str = "light") -> None:
        """Open a page with nothing stored or logged before, and wait until its charts are drawn."""
        self.driver.get("about:blank")
        self.told(), self.requested()
        self.look(size, scheme)
        self.driver.get(url)
        self.drawn()

    def look(self, size: tuple[int, int], scheme: str) -> None:
        """Set the viewport's width and height, and the system's colour scheme."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def drawn(self) -> None:
        """Wait until every chart is drawn."""
        self.until("[...document.querySelectorAll('.chart')].every((chart) => chart.querySelector('svg'))")

    def js(self, code: str, *arguments: Any) -> Any:
        """The value of a JavaScript expression (of `arguments`)."""
        return self.driver.execute_script(f"return {code}", *arguments)

    def until(self, code: str) -> Any:
        """The value of an expression once it is true."""
        return WebDriverWait(self.driver, 30, poll_frequency=0.05).until(lambda _: self.js(code))

    def press(self, selector: str) -> None:
        """Click an element."""
        self.driver.find_element("css selector", selector).click()

    def texts(self, selector: str) -> list[str]:
        """What the elements say."""
        found: list[str] = self.js(
            "[...document.querySelectorAll(arguments[0])].map((found) => found.innerText)", selector
        )
        return found

    def told(self) -> list[str]:
        """Everything on the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def requested(self) -> list[str]:
        """URLs asked for since the last call; data: apart."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]  # type: ignore[no-untyped-call]
        urls = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in urls if not url.startswith("data:")]

    def picture(self) -> bytes:
        """A PNG of the whole page."""
        shot = {"captureBeyondViewport": True, "format": "png"}
        return base64.b64decode(self.driver.execute_cdp_cmd("Page.captureScreenshot", shot)["data"])


def written(document: Document, file: Path) -> str:
    """The URL on disk of a document's page."""
    write_html(document, file)
    return file.as_uri()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """The browser's process."""
    found, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (found and driver):
        pytest.fail(f"No chromium and chromedriver on the PATH. Install them: {INSTALL}")
    options = webdriver.ChromeOptions()
    options.binary_location = found
    for option in (*_OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options, Service(driver)) as started:
        yield started


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> Iterator[Browser]:
    """The browser with empty storage."""
    yield Browser(chromium)
    chromium.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for pages that several tests open."""
    return tmp_path_factory.mktemp("pages")
