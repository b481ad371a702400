"""Takes the pictures of the site in docs/_static: ``python -m tests.docs.browser.screenshots``."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[3]
SIZES = {390: 844, 1280: 800, 1600: 740}  # None above 200 kB.
SCHEMES = ("light", "dark")
# Nothing leaves the machine.
FLAGS = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]


def main() -> None:
    """Take a picture of the start page in each size, light and dark."""
    page_url = (ROOT / "site" / "index.html").as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for width, height in SIZES.items():
            for scheme in SCHEMES:
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme=scheme,  # type: ignore[arg-type]
                )
                page = context.new_page()
                page.goto(page_url, wait_until="networkidle")
                page.screenshot(path=ROOT / "docs" / "_static" / f"start-{width}-{scheme}.png")
                context.close()
        browser.close()


if __name__ == "__main__":
    main()
