"""The site as a reader has it, in a browser: from a web server and from a folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from visits import CALLS, REDOC, Visit, broken, pages_of, visit_page, watch

Record = Callable[[str, object], None]
PHONE = {"width": 390, "height": 844}
SCREEN = {"width": 1280, "height": 1000}


@pytest.fixture(scope="session")
def visits(browser: Browser, origin: str, site: Path) -> dict[str, Visit]:
    """Every page, visited once."""
    return {
        name: visit_page(browser, f"{origin}/{name}", viewport=SCREEN) for name in pages_of(site)
    }


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
        # The search is a step, and the page that Redoc made has its way back at the top.
        assert visit.next_steps or name in {"search.html", REDOC}, name
    for told in ("title", "description"):
        assert len({getattr(visit, told) for visit in visits.values()}) == len(visits)


@pytest.fixture
def page(browser: Browser) -> Page:
    context = browser.new_context(viewport=SCREEN)
    yield context.new_page()
    context.close()


def test_search_finds_a_word(page: Page, origin: str) -> None:
    """A word typed into the box leads to a page that has it."""
    visit = watch(page)
    page.goto(f"{origin}/guides/waiting.html")
    page.locator(".sidebar-search").fill("throttled")
    page.locator(".sidebar-search").press("Enter")
    result = page.locator("#search-results li a").first
    result.wait_for()
    result.click()
    page.wait_for_load_state()
    assert "search.html" not in page.url
    assert re.search("throttl", page.inner_text("article"), re.IGNORECASE)
    assert not visit.complaints
    assert not visit.foreign(origin)


def test_search_says_when_there_is_nothing(page: Page, origin: str) -> None:
    """A word that is nowhere has no result."""
    page.goto(f"{origin}/search.html?q=xyzzyplugh")
    page.get_by_text("did not match any documents").wait_for()
    assert page.locator("#search-results li a").count() == 0


@pytest.mark.parametrize(
    ("call", "texts"),
    [
        (CALLS[0], ["Pause a synchronization task", "replication/pause", '"job_id"']),
        (CALLS[1], ["Resume a synchronization task", "replication/resume", '"job_id"']),
        (CALLS[2], ["List the synchronization tasks", "replication", '"total_count"', "offset"]),
    ],
    ids=["pause", "resume", "list"],
)
def test_http_reference_shows_the_call(
    page: Page, origin: str, call: str, texts: list[str]
) -> None:
    """The link from the docs shows the call, with an example of what is sent and answered."""
    page.goto(f"{origin}/reference/http.html")
    page.locator(f'a[href="http-api.html#/{call}"]').click()
    page.locator(f'[id="{call}/responses"]').wait_for()
    text = page.inner_text("body")
    for expected in [*texts, '"task_name"', "200", "400", "401", "500", "provenance"]:
        assert expected in text, expected


def test_a_code_is_a_link(page: Page, origin: str) -> None:
    """errors.html#dbs-200022 is the row about DBS.200022."""
    page.goto(f"{origin}/guides/errors.html#dbs-200022")
    row = page.locator("tr", has=page.locator(":target"))
    assert "DBS.200022" in row.inner_text()
    assert "no such instance" in row.inner_text()
    expect(row).to_be_in_viewport()


def test_pages_fit_a_phone(browser: Browser, origin: str, site: Path, reports: Path) -> None:
    """No page is wider than a phone; what is wide scrolls by itself."""
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    for name in pages_of(site):
        page.goto(f"{origin}/{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
        if name in {"index.html", "guides/errors.html", "how-it-is-built.html", REDOC}:
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
        assert brightness(ground) < 60, (name, ground)
        assert brightness(text) > 160, (name, text)
        if name in {"index.html", "guides/errors.html", "how-it-is-built.html", REDOC}:
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
    visit = visit_page(browser, f"{origin}/index.html")
    assert visit.foreign(origin) == ["http://elsewhere.invalid/x.png"]
    assert any("oops" in line for line in visit.complaints)
    wrong = broken({"index.html": visit}, origin, tmp_path)
    assert [line.rpartition("/")[2] for line in wrong] == ["gone.html", "index.html#gone"]
