"""The page's text: one file, nothing from elsewhere, a policy that fits it, data that stays data."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from kate_eval.report.document import Document
from kate_eval.report.page.html import html, page_data
from tests.report.example import HOSTILE, example


class Parsed(HTMLParser):
    """What a browser finds in a page: elements, and the texts of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text, with the element that it follows."""
        if self.tags and self.tags[-1][0] in ("script", "style") and data.strip():
            self.texts.append((self.tags[-1][1].get("type") or self.tags[-1][0], data))

    @property
    def policy(self) -> dict[str, str]:
        """The directives of the policy."""
        [content] = [a["content"] for tag, a in self.tags if a.get("http-equiv") == "Content-Security-Policy"]
        return dict(part.split(" ", 1) for part in (content or "").split("; "))


@pytest.fixture(scope="module")
def page() -> Parsed:
    """The example's page."""
    return Parsed(html(example()))


def test_nothing_comes_from_elsewhere(page: Parsed) -> None:
    links = [value for _, a in page.tags for name, value in a.items() if name in ("src", "href")]
    assert links == ["data:,", "#report"]
    assert page.policy["default-src"] == page.policy["connect-src"] == "'none'"
    assert "unsafe" not in json.dumps(page.policy)


def test_scripts_and_style_are_those_of_the_policy(page: Parsed) -> None:
    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    scripts = [digest(text) for kind, text in page.texts if kind in ("script", "module")]
    assert len(scripts) == 2 and page.policy["script-src"].split() == scripts
    assert [digest(text) for kind, text in page.texts if kind == "style"] == [page.policy["style-src"]]


def test_the_data_can_end_nothing_and_is_read_back(page: Parsed) -> None:
    [data] = [text for kind, text in page.texts if kind == "application/json"]
    assert not re.search(r"[<>&]", data)
    read = json.loads(data)
    assert read == json.loads(json.dumps(page_data(example())))
    assert read["tables"][0]["rows"][1]["model"] == HOSTILE


def test_only_a_live_page_asks_its_server() -> None:
    live = Parsed(html(example(), live=True))
    assert live.policy["connect-src"] == "'self'" and live.tags[0][1]["data-live"] == "true"


def test_it_is_of_a_megabyte_with_its_licenses(page: Parsed) -> None:
    text = html(example())
    assert len(text.encode()) < 1_500_000
    assert text.index("BSD 3-Clause License") < text.index("vegaEmbed")


def test_an_empty_report_is_a_page_too() -> None:
    empty = Document(generated="2026-11-25T08:00:00+00:00", tool_versions={})
    assert '"tables":[]' in html(empty)
