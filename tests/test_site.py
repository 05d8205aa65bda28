"""The documentation as a site: it builds with all its links, and can be read in a real browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
PAGES = sorted(
    path.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
    for path in (ROOT / "docs").rglob("*.md")
    if path.parent.name != "rules"
)
WIDE = """
[...document.querySelectorAll('.md-content table, .md-content pre, .md-content img')].filter(
  (element) => {
    const outer = element.closest('.md-typeset__scrollwrap') || element;
    const inner = element.querySelector(':scope > code') || outer;
    const scrolls = ['auto', 'scroll'].includes(getComputedStyle(inner).overflowX);
    const box = outer.getBoundingClientRect();
    return box.right > innerWidth + 1 || (inner.scrollWidth > inner.clientWidth && !scrolls);
  }
).length
"""
"""How many tables, blocks and pictures stand out of the window, or are cut."""

pytestmark = pytest.mark.slow


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("material")
    folder: Path = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if BROWSER is None:
        pytest.skip("there is no chromium on the PATH")
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])


@pytest.fixture(params=["400 light", "1200 dark"])
def page(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Any]:
    width, scheme = request.param.split()
    page = browser.new_page(
        viewport={"width": int(width), "height": 900}, color_scheme=scheme, base_url=address
    )
    page.set_default_timeout(60_000)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda it: it.url.startswith(address) or said.append(it.url))
    yield page
    assert said == []
    page.close()


def test_all_pages_are_there(site: Path) -> None:
    rules = {
        f"reference/rules/{path.stem}.html" for path in (ROOT / "docs/reference/rules").iterdir()
    }
    built = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    assert {*PAGES, *rules} <= built
    assert (site / "reference/spec.schema.json").read_text().startswith("{")


def test_nothing_is_cut_on_any_page(page: Any) -> None:
    for name in (*PAGES, "reference/rules/PYR046.html"):
        page.goto(f"/{name}")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        assert page.evaluate(WIDE) == 0, name


def test_code_is_coloured_and_can_be_copied(page: Any) -> None:
    page.goto("/tutorial.html")
    assert page.locator(".highlight .p, .highlight .nt").count() > 10
    page.wait_for_selector(".md-clipboard, .md-code__button")


def test_the_scheme_is_that_of_the_reader(page: Any) -> None:
    page.goto("/index.html")
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    scheme = page.evaluate("document.body.getAttribute('data-md-color-scheme')")
    assert scheme == ("slate" if is_dark else "default")


def test_search_finds_a_rule(page: Any) -> None:
    page.goto("/index.html")
    page.wait_for_load_state("networkidle")
    if page.viewport_size["width"] < 600:
        page.click("label[for=__search].md-icon")
    page.locator("input[name=query]").press_sequentially("PYR038")
    page.wait_for_selector(".md-search-result__link")
    links = page.locator(".md-search-result__link")
    found = [link.get_attribute("href") for link in links.all()]
    assert any("reference/rules/PYR038.html" in link for link in found), found
