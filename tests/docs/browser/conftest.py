"""The built site, on a local server and as a folder, in Debian's Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[3]
# The browser talks to its maker's hosts by itself. What a page asks for is looked at in any case;
# with these nothing leaves the machine.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser with nothing in it that was there before."""
    chromium = shutil.which("chromium")
    assert chromium, "`make chromium` installs the browser"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site() -> Path:
    """The site as `make docs` built it."""
    folder = ROOT / "site"
    assert (folder / "index.html").exists(), "`make docs` builds the site"
    return folder


@pytest.fixture(scope="session")
def server(site: Path) -> Iterator[str]:
    """Where the site is on a web server, without a final slash."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session", params=["server", "folder"])
def origin(request: pytest.FixtureRequest, site: Path, server: str) -> str:
    """Where the site is, without a final slash: on a web server, and then in a folder."""
    return server if request.param == "server" else site.as_uri()


@pytest.fixture(scope="session")
def reports() -> Path:
    """Where the pictures go."""
    folder = ROOT / "reports"
    folder.mkdir(exist_ok=True)
    return folder
