"""Visiting pages, and what is noticed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from playwright.sync_api import Browser, Page


@dataclass
class Visit:
    """What a page asked for, complained of, and shows."""

    title: str = ""
    description: str = ""
    next_steps: int = 0
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    links: set[str] = field(default_factory=set)
    anchors: set[str] = field(default_factory=set)

    def foreign(self, origin: str) -> list[str]:
        """The requests that went anywhere but to the site."""
        return [url for url in self.requests if not is_own(url, origin)]


def is_own(url: str, origin: str) -> bool:
    """Whether a URL is of the site, or of nothing outside the page itself."""
    if url.startswith("blob:"):
        url = url.removeprefix("blob:")
        return url.startswith("null/") or is_own(url, origin)
    return url.startswith((f"{origin}/", "data:")) or url in {"about:blank", origin}


def watch(page: Page) -> Visit:
    """Note from now on what a page asks for and complains of."""
    visit = Visit()
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("requestfailed", lambda request: visit.complaints.append(f"failed: {request.url}"))
    page.on(
        "console",
        lambda message: (
            message.type in {"error", "warning"}
            and visit.complaints.append(f"{message.type}: {message.text}")
        ),
    )
    page.on("pageerror", lambda error: visit.complaints.append(f"uncaught: {error}"))
    return visit


def look(page: Page, visit: Visit) -> None:
    """Note what a page shows now."""
    visit.title = page.title()
    description = page.locator('meta[name="description"]')
    visit.description = (
        (description.first.get_attribute("content") or "") if description.count() else ""
    )
    visit.next_steps = page.locator(".next a").count()
    visit.links |= set(page.eval_on_selector_all("a[href]", "links => links.map(a => a.href)"))
    visit.anchors |= set(page.eval_on_selector_all("[id]", "things => things.map(one => one.id)"))


def visit_pages(browser: Browser, urls: Sequence[str], **settings: object) -> list[Visit]:
    """Open pages at once, wait until each is quiet, and look."""
    context = browser.new_context(**settings)  # type: ignore[arg-type]
    pages = [context.new_page() for _ in urls]
    visits = [watch(page) for page in pages]
    for page, url in zip(pages, urls, strict=True):
        page.set_default_timeout(20_000)
        page.goto(url, wait_until="commit")
    for page, visit in zip(pages, visits, strict=True):
        page.wait_for_load_state("networkidle")
        look(page, visit)
    context.close()
    return visits


def pages_of(site: Path) -> list[str]:
    """Every page of the site."""
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


def broken(visits: Mapping[str, Visit], origin: str, site: Path) -> list[str]:
    """The links within the site that lead nowhere, to a page or to an anchor."""
    found = []
    for name, visit in visits.items():
        for link in sorted(visit.links):
            if not is_own(link, origin):
                continue
            address, anchor = urldefrag(link)
            path = unquote(urlsplit(address).path).removeprefix(urlsplit(origin).path).lstrip("/")
            if not path or path.endswith("/"):
                path += "index.html"
            target = visits.get(path)
            if target is None:
                if not (site / path).is_file():
                    found.append(f"{name}: {link}")
            elif anchor and unquote(anchor) not in target.anchors:
                found.append(f"{name}: {link}")
    return found


# Words that stand on two lines, though nothing in them lets a line end.
BROKEN_WORDS = """() => {
  const found = [];
  for (const part of document.querySelectorAll("article, .sidebar-drawer, .toc-drawer, header")) {
    const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.parentElement.closest("pre, script, style, svg")) continue;
      for (const word of node.data.matchAll(/[^\\s\\/\u2014\u2013\u2026?-]+/g)) {
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const lines = new Set([...range.getClientRects()].map(one => Math.round(one.top / 4)));
        if (lines.size > 1) found.push(word[0]);
      }
    }
  }
  return found;
}"""
# What reaches beyond the right edge, other than what scrolls by itself.
CUT_OFF = """() => [...document.querySelectorAll("article *")]
  .filter(one => !one.closest("pre, .table-wrapper, svg, .sd-tab-label, .headerlink"))
  .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
  .map(one => `${one.tagName} ${one.textContent.trim().slice(0, 60)}`)"""
