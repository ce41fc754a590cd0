"""The page in a real browser: what a reader does with it, by mouse, keyboard and screen reader."""

import io
import itertools
from pathlib import Path

import pytest
from PIL import Image, ImageStat
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from kate_eval.report.document import Document
from kate_eval.report.formats.figures import figure
from tests.report.example import HOSTILE, PAIRED, example, row
from tests.report.page.browser.conftest import DESKTOP, PHONE, Browser, written

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
TABLE = "#bfcl-v3-measured"
SOLVERS = f"{TABLE} tbody th"


def larger() -> Document:
    """The example with five measured rows, one of whose scores is not known."""
    document = example()
    [first, *others] = document.tables
    more = [row(n, f"model-{n}", "width", "measured") for n in (12, 9, 10)]
    unknown = more[0].model_copy(update={"cells": more[0].cells | {"multi_turn": None}})
    rows = (*first.rows, unknown, *more[1:])
    return document.model_copy(update={"tables": (first.model_copy(update={"rows": rows}), *others)})


@pytest.fixture(scope="module")
def url(pages: Path) -> str:
    """The page on disk."""
    return written(larger(), pages / "larger.html")


def models(browser: Browser) -> list[str]:
    """The models of the measured table, from top to bottom."""
    return browser.texts(f"{TABLE} tbody td:nth-child(2)")


def test_it_opens_from_disk_silently_and_asks_for_nothing_else(browser: Browser, url: str) -> None:
    browser.open(url)
    assert browser.told() == []
    assert browser.requested() == [url]
    assert browser.js("document.querySelectorAll('.chart svg').length") == len(example().plots)


def test_a_column_sorts_up_down_and_back(browser: Browser, url: str) -> None:
    browser.open(url)
    given = models(browser)
    button = f"{TABLE} thead th:nth-child(3) button"
    orders = []
    for expected in ("descending", "ascending", "none"):
        browser.press(button)
        assert browser.js(f"document.querySelector('{button}').closest('th').ariaSort") == expected
        orders.append(models(browser))
    numbered = [given[0], given[1], "model-9", "model-10"]
    assert orders[0] == [*reversed(numbered), "model-12"]
    assert orders[1] == [*numbered, "model-12"] and orders[2] == given


def test_numbers_are_those_of_the_other_formats(browser: Browser, pages: Path) -> None:
    [first, *others] = example().tables
    scores = (0.3025, 0.3275, 0.0, 1.0, 0.28549999, 1 / 3, 0.99995)
    rows = tuple(
        row(n, f"m{n}", "kate", "measured").model_copy(
            update={
                "cells": {
                    "multi_turn": score,
                    "agreement_rate": score,
                    "tokens": 1e5 * score,
                    "dollars": score / 7,
                }
            }
        )
        for n, score in enumerate(scores)
    )
    document = example().model_copy(update={"tables": (first.model_copy(update={"rows": rows}), *others)})
    browser.open(written(document, pages / "numbers.html"))
    browser.press("input[name=rate]")
    heads = [head.split(" ↕")[0].strip() for head in browser.texts(f"{TABLE} thead th")]
    for column in first.columns:
        if column.label in heads:
            place = heads.index(column.label) + 1
            shown = browser.texts(f"{TABLE} tbody tr > :nth-child({place})")
            wanted = [figure(column, found.cells.get(column.key)) for found in rows]
            assert shown == wanted


def test_the_p_value_is_holm_s_and_the_unadjusted_one_is_a_title(browser: Browser, pages: Path) -> None:
    [first, *others] = example().tables
    paired = PAIRED.model_copy(update={"p": 0.02, "p_holm": 0.04})
    rows = (first.rows[0], first.rows[1].model_copy(update={"paired": paired}))
    document = example().model_copy(update={"tables": (first.model_copy(update={"rows": rows}), *others)})
    browser.open(written(document, pages / "holm.html"))
    lines = "[...document.querySelectorAll(arguments[0])].map((line) => [line.textContent, line.title])"
    told = browser.js(lines, f"{TABLE} tbody td.number .more[title*=both]")
    assert [text for text, _ in told] == ["[+3.1, +9.3]", "p=0.040"]
    assert all("398 entries in both; unadjusted p=0.020" in title for _, title in told)


def test_numbers_in_names_sort_as_numbers_and_the_keyboard_does_it_all(browser: Browser, url: str) -> None:
    browser.open(url)
    browser.js("document.querySelector(arguments[0]).focus()", f"{TABLE} thead th:nth-child(1) button")
    keyboard = browser.driver.switch_to.active_element
    keyboard.send_keys(Keys.TAB)
    for key in (Keys.ENTER, Keys.SPACE):
        browser.driver.switch_to.active_element.send_keys(key)
    sorted_down = [name for name in models(browser) if name.startswith("model")]
    assert sorted_down == ["model-12", "model-10", "model-9"]
    assert browser.js("document.activeElement.innerText.trim()") == "Model"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert browser.js(outline) == "solid"


def test_tab_reaches_every_control_in_order(browser: Browser, url: str) -> None:
    browser.open(url)
    seen = []
    for _ in range(12):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        seen.append(browser.js("document.activeElement.dataset.key || document.activeElement.innerText"))
    assert seen[:7] == [
        *("Skip to the results", "Theme: system", "filter text", "filter board", "filter model"),
        *("filter solver", "filter flag"),
    ]


def test_filters_narrow_rows_and_plots_and_reset_undoes_them(browser: Browser, url: str) -> None:
    browser.open(url)
    points = "document.querySelectorAll('#plot-bfcl-v3-measured-width .mark-symbol path').length"
    assert browser.js(points) > 1
    search = browser.driver.find_element("css selector", "[name=text]")
    search.send_keys("qwen3-8B baseline")
    browser.drawn()
    assert models(browser) == ["vllm/Qwen/Qwen3-8B"]
    assert browser.texts("#found") == ["1 of 7 rows in 1 blocks."]
    browser.until(points.replace("length", "length === 1"))
    assert browser.js("document.activeElement.name") == "text"
    browser.press("[data-key='filter reset']")
    assert len(models(browser)) == 5 and browser.js("document.querySelector('[name=text]').value") == ""


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [("solver", "kate", 1), ("flag", "simulated", 1), ("flag", "(none)", 5), ("model", HOSTILE, 1)],
)
def test_each_filter_leaves_what_it_names(
    browser: Browser, url: str, name: str, value: str, left: int
) -> None:
    browser.open(url)
    browser.js(
        "(() => { const select = document.querySelector(`select[name=${arguments[0]}]`);"
        " select.value = arguments[1]; select.dispatchEvent(new Event('change')); })()",
        *(name, value),
    )
    assert browser.js("document.querySelectorAll('.block tbody tr[data-row]').length") == left


def test_groups_of_columns_come_and_go(browser: Browser, url: str) -> None:
    browser.open(url)
    heads = f"{TABLE} thead th"
    assert not any("Data hash" in head for head in browser.texts(heads))
    browser.press("input[name=provenance]")
    assert any("Data hash" in head for head in browser.texts(heads))
    browser.press("input[name=cost]")
    assert not any("Tokens" in head for head in browser.texts(heads))


def test_measured_simulated_and_published_never_share_a_block(browser: Browser, url: str) -> None:
    browser.open(url)
    kinds = browser.js("[...document.querySelectorAll('.block')].map((block) => block.className)")
    assert kinds == ["block measured", "block simulated", "block published"]
    for kind in ("simulated", "published"):
        assert kind in browser.texts(f".{kind} .badge")[0].lower()
        assert kind in browser.texts(f".{kind} .kind")[0].lower()


def test_a_table_is_one_for_a_screen_reader(browser: Browser, url: str) -> None:
    browser.open(url)
    tree = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    nodes = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in tree if not n["ignored"]]
    nameless = [
        role
        for role, name in nodes
        if role in ("button", "link", "combobox", "searchbox", "checkbox", "table", "region") and not name
    ]
    assert nameless == []
    assert ("table", "BFCL-V3") in nodes and ("rowheader", "kate width=8") in nodes
    assert ("columnheader", "Multi-turn") in [(role, name.rstrip(" ↕↑↓")) for role, name in nodes]
    assert browser.js("document.documentElement.lang") == "en"
    levels = browser.js("[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))")
    assert levels[0] == 1 and all(b - a <= 1 for a, b in itertools.pairwise(levels))


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_looks_different_in_each_theme_and_fits_its_width(
    browser: Browser, url: str, size: tuple[int, int], tmp_path: Path
) -> None:
    pictures = {}
    for scheme in ("light", "dark"):
        browser.open(url, size, scheme)
        assert browser.js("document.documentElement.scrollWidth <= innerWidth")
        pictures[scheme] = Image.open(io.BytesIO(browser.picture())).convert("L")
    means = {scheme: ImageStat.Stat(picture).mean[0] for scheme, picture in pictures.items()}
    assert means["light"] > 200 and means["dark"] < 60
    assert all(len(picture.getcolors(256) or ()) > 50 for picture in pictures.values())


def test_the_switch_goes_before_the_system_and_is_remembered(browser: Browser, url: str) -> None:
    browser.open(url, scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    ink = "document.querySelector('.chart .role-axis-label text').getAttribute('fill')"
    dark = browser.js(ground), browser.js(ink)
    browser.press("#theme")
    browser.drawn()
    assert browser.texts("#theme") == ["Theme: light"]
    light = browser.js(ground), browser.until(f"{ink} !== '{dark[1]}' && {ink}")
    assert light[0] != dark[0] and light[1] != dark[1]
    browser.driver.refresh()
    assert browser.texts("#theme") == ["Theme: light"] and browser.js(ground) == light[0]
    browser.press("#theme")
    browser.press("#theme")
    assert browser.texts("#theme") == ["Theme: system"]


def test_on_a_phone_the_table_scrolls_in_itself_beside_its_names(browser: Browser, url: str) -> None:
    browser.open(url, PHONE)
    region = f"document.querySelector('{TABLE}').parentElement"
    assert browser.js(f"{region}.scrollWidth > {region}.clientWidth && {region}.tabIndex === 0")
    left = f"document.querySelector('{SOLVERS}').getBoundingClientRect().left"
    before = browser.js(left)
    browser.js(f"{region}.scrollBy(200, 0)")
    assert browser.js(f"{region}.scrollLeft") > 0 and browser.js(left) == before


def test_it_prints(browser: Browser, url: str) -> None:
    browser.open(url)
    assert browser.driver.print_page().startswith("JVBER")  # %PDF
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    hidden = (
        "['#filters', '#theme'].every((n) => getComputedStyle(document.querySelector(n)).display === 'none')"
    )
    assert browser.js(hidden)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_a_chart_names_its_points_and_a_click_on_its_legend_fades_the_others(
    browser: Browser, pages: Path
) -> None:
    document = example()
    [plot] = [plot for plot in document.plots if plot.name == "width"]
    two = tuple(plot.series[0].model_copy(update={"name": name}) for name in ("kate", "width"))
    shown = document.model_copy(update={"plots": (plot.model_copy(update={"series": two}),)})
    browser.open(written(shown, pages / "legend.html"))
    symbols = ".chart .mark-symbol.role-mark path"
    opacity = f"[...document.querySelectorAll('{symbols}')].map((mark) => mark.getAttribute('opacity'))"
    browser.press(".chart .role-legend-symbol path")
    browser.until(f"new Set({opacity}).size === 2")
    point = browser.driver.find_element("css selector", symbols)
    ActionChains(browser.driver).move_to_element(point).perform()
    browser.until("document.querySelector('#vg-tooltip-element.visible')")
    assert "Candidates a step" in browser.texts("#vg-tooltip-element")[0]
    assert browser.told() == []


def test_a_plot_is_also_there_as_numbers_and_as_files(browser: Browser, url: str) -> None:
    browser.open(url)
    browser.press("#plot-bfcl-v3-measured-width summary")
    cells = browser.texts("#plot-bfcl-v3-measured-width details tbody td")
    assert cells[:5] == ["8", "45.0", "35.0", "60.0", "400"]
    for kind, start in (("svg", "blob:"), ("png", "data:image/png;base64,iVBOR")):
        name, url_of_file = browser.driver.execute_async_script(
            "const done = arguments[1];"
            "HTMLAnchorElement.prototype.click = function () { done([this.download, this.href]); };"
            "document.querySelector(`[data-key='save bfcl-v3-measured-width ${arguments[0]}']`).click()",
            kind,
        )
        assert name == f"bfcl-v3-measured-width.{kind}" and url_of_file.startswith(start)
