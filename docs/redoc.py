"""Builds the page of the HTTP API from the contract: ``redoc.py REDOCLY CONTRACT PAGE``."""
# ruff: noqa: INP001  # A script, not a package.

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# A transparent dot. Redoc shows its maker's logo, and would ask its maker for it.
DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
LOGOS = (
    "https://cdn.redoc.ly/redoc/logo-mini-full.svg",
    "https://cdn.redoc.ly/redoc/logo-mini.svg",
)
# One file that loads nothing, and shows where each fact is from.
OPTIONS = ("--inlineBundle", "--openapi.showExtensions")
# Examples are shown as a whole. Redoc has an option for it that its command line does not know.
SETTINGS = "const __redoc_options = {"
WHOLE = f'{SETTINGS}"jsonSamplesExpandLevel":"all",'
DESCRIPTION = (
    "The HTTP calls that pause, resume, list and describe the synchronization tasks of StarRocks "
    "instances in TaurusDB, with parameters, responses and examples."
)
HEAD = f"""<meta name="description" content="{DESCRIPTION}">
  <link rel="icon" href="../_static/icon.svg">
  <style>
    .back {{ display: block; padding: 0.6rem 1rem; font: 0.9rem system-ui, sans-serif;
      color: #0b5f8a; background: #f4f6f8; text-decoration: none; }}
    .back:hover {{ text-decoration: underline; }}
    :root.dark .back {{ color: #7cc4ea; background: #17191d; }}
    /* Nothing is asked of anybody for it, so there is nothing to show. */
    img[alt="redocly logo"] {{ display: none; }}
    a[href="https://redocly.com/redoc/"]::after {{
      content: "Redocly"; margin-left: 0.3em; font-size: 0.7rem; }}
    #redoc h1, #redoc h2 {{
      font-size: clamp(1.4rem, 5vw, 1.9rem); line-height: 1.25; word-break: normal; }}
  </style>
  <script>
    // Redoc's menu leaves out the hash that its places are behind.
    new MutationObserver(() => document.querySelectorAll('#redoc a[href^="/"]').forEach(
      (link) => link.setAttribute("href", `#${{link.getAttribute("href")}}`)
    )).observe(document, {{childList: true, subtree: true}});
  </script>
</head>"""
BACK = """<body>
  <a class="back" href="http.html">← taurusdb-starrocks: how to read this, and what is next</a>"""


def alone(page: str) -> str:
    """The page with a description and a way back, asking nothing of any host.

    Raises:
        ValueError: Redoc's page is not as it was, so that something would not be replaced.
    """
    for logo in LOGOS:
        page = _replace(page, logo, DOT)
    page = _replace(page, SETTINGS, WHOLE)
    page = _replace(page, "</head>", HEAD, first=True)
    return _replace(page, "<body>", BACK, first=True)


def _replace(page: str, old: str, new: str, *, first: bool = False) -> str:
    count = page.count(old)
    if count == 0 or (count > 1 and not first):
        raise ValueError(f"Redoc's page has {old!r} {count} times, not once.")
    return page.replace(old, new, 1)


def main(redocly: str, contract: str, page: str) -> None:
    """Write the page."""
    target = Path(page)
    target.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(  # noqa: S603  # What the Makefile names.
        [redocly, "build-docs", contract, *OPTIONS, "--output", page],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
    )
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    target.write_text(alone(target.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
