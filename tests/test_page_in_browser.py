"""The page of `pyroify report` in a real browser, where there is one; CONTRIBUTING says how."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import LayOut, Run
from test_page import FILES, HOSTILE, NET, REFUSED

playwright = pytest.importorskip("playwright.sync_api")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="there is no chromium on the PATH"),
]
LONG = NET.replace("Net(nn.Module):", f"{'Long' * 40}(nn.Module):  # {HOSTILE}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])


@pytest.fixture(params=["400 light", "400 dark", "1200 light", "1200 dark"])
def page(request: pytest.FixtureRequest, browser: Any, lay_out: LayOut, run: Run) -> Iterator[Any]:
    width, scheme = request.param.split()
    root = lay_out(FILES | {"nets/refused.py": REFUSED + f"# {HOSTILE}\n", "nets/long.py": LONG})
    assert run("report", "--html", "out.html").code == 1
    page = browser.new_page(viewport={"width": int(width), "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((root / "out.html").as_uri())
    yield page
    assert said == []
    assert asked == [(root / "out.html").as_uri()]
    page.close()


def test_nothing_is_wider_than_the_window(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    wide = "[...document.querySelectorAll('td, code, figure, .block')].filter("
    wide += "(element) => element.getBoundingClientRect().right > innerWidth).length"
    assert page.evaluate(wide) == 0


def test_curves_are_seen(page: Any) -> None:
    boxes = [curve.bounding_box() for curve in page.query_selector_all("figure svg")]
    assert boxes and all(box["width"] > 100 and box["height"] > 20 for box in boxes)


def test_the_scheme_is_that_of_the_reader(page: Any) -> None:
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert back == ("rgb(13, 17, 23)" if is_dark else "rgb(255, 255, 255)")


def test_search_and_filter(page: Any) -> None:
    shown = "details.class:not([hidden]) > summary > code"
    assert page.locator(shown).count() == 3
    page.fill("#search", "vonmises NET")
    assert page.locator(shown).all_inner_texts() == ["Net"]
    page.fill("#search", "")
    page.select_option("#fate", "refused")
    assert page.locator(shown).all_inner_texts() == ["Refused"]
    assert page.locator("#shown").inner_text().endswith(" shown")
    page.fill("#search", "is nowhere")
    assert page.locator("[data-item]:not([hidden])").count() == 0
    assert page.locator(".file:not([hidden])").count() == 0
