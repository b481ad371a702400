"""The site as a reader has it, in a browser: from a web server and from a folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from visits import BROKEN_WORDS, CUT_OFF, Visit, broken, pages_of, visit_pages, watch

Record = Callable[[str, object], None]
ROOT = Path(__file__).resolve().parents[3]
PHONE = {"width": 390, "height": 844}
SCREEN = {"width": 1280, "height": 1000}
PICTURED = {"index.html", "guides/errors.html", "architecture.html", "reference/http.html"}


@pytest.fixture(scope="session")
def visits(browser: Browser, origin: str, site: Path) -> dict[str, Visit]:
    """Every page, visited once; eight at a time, because each is watched until it is quiet."""
    names = pages_of(site)
    visits: list[Visit] = []
    for start in range(0, len(names), 8):
        urls = [f"{origin}/{name}" for name in names[start : start + 8]]
        visits += visit_pages(browser, urls, viewport=SCREEN)
    return dict(zip(names, visits, strict=True))


def test_every_page_is_quiet(
    visits: dict[str, Visit], origin: str, record_property: Record
) -> None:
    """No page asks anything of another host, or leaves anything in the console."""
    foreign = [f"{name}: {url}" for name, visit in visits.items() for url in visit.foreign(origin)]
    complaints = [f"{name}: {line}" for name, visit in visits.items() for line in visit.complaints]
    record_property("figure", ("pages loaded", len(visits)))
    record_property("figure", ("requests", sum(len(visit.requests) for visit in visits.values())))
    record_property("figure", ("requests to other hosts", len(foreign)))
    record_property("figure", ("console errors", len(complaints)))
    assert len(visits) >= 18
    assert not foreign
    assert not complaints


def test_no_link_is_broken(
    visits: dict[str, Visit], origin: str, site: Path, record_property: Record
) -> None:
    """Every link within the site leads to a page that is there, and to an anchor on it."""
    wrong = broken(visits, origin, site)
    links = sum(len(visit.links) for visit in visits.values())
    record_property("figure", ("links", links))
    record_property("figure", ("broken links", len(wrong)))
    assert links > 500
    assert not wrong


def test_every_page_says_what_it_is(visits: dict[str, Visit]) -> None:
    """Title and description are there, no two alike, and each page leads on."""
    for name, visit in visits.items():
        assert visit.title, name
        assert len(visit.description) >= 20, name
        assert visit.next_steps or name == "search.html", name
    for told in ("title", "description"):
        assert len({getattr(visit, told) for visit in visits.values()}) == len(visits)


@pytest.fixture
def page(browser: Browser) -> Page:
    context = browser.new_context(viewport=SCREEN)
    yield context.new_page()
    context.close()


def test_search_finds_a_word(page: Page, origin: str) -> None:
    """A word typed into the box leads to a page that has it; the result shows where it stands."""
    visit = watch(page)
    page.goto(f"{origin}/guides/waiting.html")
    page.locator(".sidebar-search").fill("throttled")
    page.locator(".sidebar-search").press("Enter")
    result = page.locator("#search-results li").first
    result.wait_for()
    excerpt = result.locator(".context").inner_text()
    assert re.search("throttl", excerpt, re.IGNORECASE)
    assert 30 <= len(excerpt) <= 260
    assert re.match("throttl", result.locator(".context mark").first.inner_text(), re.IGNORECASE)
    result.locator("a").click()
    page.wait_for_load_state()
    assert "search.html" not in page.url
    assert re.search("throttl", page.inner_text("article"), re.IGNORECASE)
    assert not visit.complaints
    assert not visit.foreign(origin)


@pytest.mark.parametrize("word", ["resume", "proxy", "project_id", "DBS.200022", "Client.paused"])
def test_every_result_has_an_excerpt(page: Page, origin: str, word: str) -> None:
    """What Sphinx says nothing about has an excerpt of its text."""
    page.goto(f"{origin}/search.html?q={word}")
    page.get_by_text("Search finished").wait_for()
    for result in page.locator("#search-results li").all():
        described = result.locator("span").count()
        assert described or result.locator(".context").count() == 1, result.inner_text()


def test_search_says_when_there_is_nothing(page: Page, origin: str) -> None:
    """A word that is nowhere has no result."""
    page.goto(f"{origin}/search.html?q=xyzzyplugh")
    page.get_by_text("did not match any documents").wait_for()
    assert page.locator("#search-results li a").count() == 0


CALLS = {
    "pauseStarRocksDataReplication": ["POST", "/replication/pause", '"job_id"', '"task_name"'],
    "resumeStarRocksDataReplication": ["POST", "/replication/resume", '"job_id"', '"task_name"'],
    "listStarRocksDataReplications": ["GET", "/replication", '"total_count"', "offset"],
    "listStarRocksDataReplicationConfig": ["GET", "/replication/configuration", "task_name"],
    "listHtapInstanceInfo": ["GET", "/htap", '"instances"'],
}


@pytest.mark.parametrize(("call", "texts"), CALLS.items(), ids=CALLS)
def test_http_reference_shows_the_call(
    page: Page, origin: str, call: str, texts: list[str]
) -> None:
    """A call has its whole path, samples, parameters and responses; provenance is at its end."""
    page.goto(f"{origin}/reference/http.html#{call.lower()}")
    assert page.locator(".sidebar-tree .current-page").inner_text() == "HTTP API"
    part = page.locator(f'section:has(> [id="{call.lower()}"]), section[id="{call.lower()}"]').last
    whole = "/v3/{project_id}/instances/{instance_id}"
    told = part.inner_text()
    for expected in [*texts, call, whole, "curl", "200", "400", "401", "403", "429", "500"]:
        assert expected in told, expected
    assert told.index("Responses") < told.index("Sources")
    part.get_by_text("Python", exact=True).click()
    expect(part.get_by_text("from taurusdb_starrocks import Client")).to_be_visible()


def test_copy_button_leaves_the_prompt_out(page: Page, origin: str) -> None:
    """What the button copies can be pasted into a shell."""
    page.goto(f"{origin}/guides/testing.html")
    block = page.locator(".highlight-console").first
    block.hover()
    block.locator("button.copybtn").click()
    search = page.locator(".sidebar-search")
    search.focus()
    page.keyboard.press("Control+V")
    assert search.input_value() == "pip install '.[emulator]' pytest"


def test_contents_stand_beside_the_text(page: Page, origin: str) -> None:
    """On a screen of 1280 pixels a page's own contents are in sight, as a whole."""
    page.goto(f"{origin}/guides/errors.html")
    contents = page.locator(".toc-drawer")
    expect(contents.get_by_text("On this page")).to_be_in_viewport()
    edges = contents.bounding_box()
    assert edges is not None
    assert edges["x"] + edges["width"] <= SCREEN["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= SCREEN["width"]


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker, as npm installed it."""
    return (ROOT / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(
    browser: Browser, server: str, site: Path, axe: str, scheme: str, record_property: Record
) -> None:
    """axe finds nothing serious on any page; what is dark differs in its colors alone."""
    options = {"resultTypes": ["violations"]} | (
        {"runOnly": ["color-contrast"]} if scheme == "dark" else {}
    )
    context = browser.new_context(viewport=SCREEN, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    serious, passed = [], 0
    for name in pages_of(site):
        page.goto(f"{server}/{name}")
        page.evaluate(axe)
        result = page.evaluate("options => axe.run(options)", options)
        passed += len(result["passes"])
        serious += [
            (name, one["id"], [node["html"][:120] for node in one["nodes"][:3]])
            for one in result["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
    context.close()
    record_property("figure", ("accessibility checks passed", passed))
    record_property("figure", ("serious accessibility findings", len(serious)))
    assert passed >= len(pages_of(site)) / 2
    assert not serious


def test_a_code_is_a_link(page: Page, origin: str) -> None:
    """errors.html#dbs-200022 is the row about DBS.200022."""
    page.goto(f"{origin}/guides/errors.html#dbs-200022")
    row = page.locator("tr", has=page.locator(":target"))
    assert "DBS.200022" in row.inner_text()
    assert "no such instance" in row.inner_text()
    expect(row).to_be_in_viewport()


def test_pages_fit_a_phone(browser: Browser, origin: str, site: Path, reports: Path) -> None:
    """No page is wider than a phone, nothing is cut off, and no word is broken."""
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    for name in pages_of(site):
        page.goto(f"{origin}/{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
        assert page.evaluate(CUT_OFF) == [], name
        assert page.evaluate(BROKEN_WORDS) == [], name
        if name in PICTURED:
            page.screenshot(path=reports / f"docs-narrow-{Path(name).stem}.png")
    context.close()


def test_pages_are_dark_in_the_dark(
    browser: Browser, origin: str, site: Path, reports: Path
) -> None:
    """Who likes it dark gets light text on dark ground, everywhere."""
    context = browser.new_context(viewport=SCREEN, color_scheme="dark")
    page = context.new_page()
    for name in pages_of(site):
        page.goto(f"{origin}/{name}")
        ground = page.evaluate(GROUND)
        text = page.evaluate("getComputedStyle(document.body).color")
        assert page.evaluate(BROKEN_WORDS) == [], name
        assert brightness(ground) < 60, (name, ground)
        assert brightness(text) > 160, (name, text)
        if name in PICTURED:
            page.screenshot(path=reports / f"docs-dark-{Path(name).stem}.png")
    context.close()


# Behind a body that is clear there is the document's own ground.
GROUND = """[document.body, document.documentElement]
    .map(one => getComputedStyle(one).backgroundColor)
    .find(color => color != "rgba(0, 0, 0, 0)")"""


def brightness(color: str) -> float:
    red, green, blue = (float(part) for part in re.findall(r"[0-9.]+", color)[:3])
    return (red + green + blue) / 3


def test_the_check_sees(browser: Browser, tmp_path: Path) -> None:
    """A request to another host, a complaint and broken links are seen where they are."""
    (tmp_path / "index.html").write_text(
        '<title>Bad</title><body><a href="gone.html">1</a><a href="#gone">2</a>'
        '<a href="index.html#here">3</a><p id="here"></p><a href="https://elsewhere.invalid/">4</a>'
        '<script>console.error("oops")</script><img src="http://elsewhere.invalid/x.png">'
    )
    origin = tmp_path.as_uri()
    (visit,) = visit_pages(browser, [f"{origin}/index.html"])
    assert visit.foreign(origin) == ["http://elsewhere.invalid/x.png"]
    assert any("oops" in line for line in visit.complaints)
    wrong = broken({"index.html": visit}, origin, tmp_path)
    assert [line.rpartition("/")[2] for line in wrong] == ["gone.html", "index.html#gone"]


def test_the_check_sees_words_that_are_broken(page: Page) -> None:
    """A word on two lines and what reaches beyond the edge are seen; what scrolls is not."""
    page.set_viewport_size(PHONE)
    page.set_content(
        '<article><p style="width:4em; overflow-wrap:anywhere">incomprehensibilities</p>'
        '<p style="width:4em">where<wbr>upon it is</p><div style="width:600px">wide</div>'
        '<div class="table-wrapper" style="overflow-x:auto"><p style="width:600px">a</p></div>'
    )
    assert page.evaluate(BROKEN_WORDS) == ["incomprehensibilities"]
    assert page.evaluate(CUT_OFF) == ["DIV wide"]
