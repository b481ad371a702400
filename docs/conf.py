"""How the site is built: from this folder's prose, from docstrings and from openapi.yaml."""
# ruff: noqa: INP001  # Read by Sphinx, not a package.

from __future__ import annotations

import inspect
from typing import Any

import taurusdb_starrocks
from sphinx.application import Sphinx
from taurusdb_starrocks_emulator.faults.kinds import KINDS

project = "taurusdb-starrocks"
author = "taurusdb-starrocks maintainers"
version = release = taurusdb_starrocks.__version__
html_title = f"{project} {release}"
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["*.py"]
# The docstrings of the emulator write code in single backticks.
default_role = "code"

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "fieldlist", "substitution"]
myst_heading_anchors = 3


def default(value: object) -> str:
    """A parameter's default as the table of faults has it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f"`{value}`"
    return f"{value >> 20} MiB" if isinstance(value, int) and value >= 1 << 20 else f"{value:g}"


def fault_table() -> str:
    """The kinds of faults that the emulator declares, as a Markdown table."""
    rows = ["| kind | what the caller meets | parameters (default) |", "|---|---|---|"]
    for name, kind in KINDS.items():
        parameters = ", ".join(f"`{key}` ({default(v)})" for key, v in kind.parameters.items())
        rows.append(f"| `{name}` | {kind.summary} | {parameters} |")
    return "\n".join(rows)


myst_substitutions = {"faults": fault_table()}

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 68
napoleon_numpy_docstring = False
toc_object_entries_show_parents = "hide"

# What is not on this site, and is not linked to: the build asks nothing of any other host, so no
# list of other projects' names is fetched.
nitpick_ignore_regex = [
    (r"py:.*", r"(httpx|ssl|contextlib|collections|datetime|enum|os|pathlib|typing|types)\..*"),
    (r"py:.*", r"(Iterable|Mapping|Callable|Iterator|AsyncIterator|Sequence|Any|Self|Literal)"),
    (r"py:.*", r"(AbstractContextManager|AbstractAsyncContextManager|Path|Unpack|SSLContext)"),
    (r"py:.*", r"(str|int|float|bool|None|object|dict|list|tuple|datetime|Enum|Exception)"),
    (r"py:.*", r"(ValueError|TimeoutError|RuntimeError|LookupError|OSError|ExceptionGroup)"),
    (r"py:.*", r"(TypedDict|ASGIApp|starlette\..*|sqlite3\..*|Mode|Transport|optional)"),
    (r"py:.*", r"(taurusdb_starrocks_api\..*|AuthenticatedClient)"),
]

html_theme = "furo"
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_use_index = False
html_domain_indices = False
# Summaries are fetched from the pages, which a browser refuses to do in a folder.
html_show_search_summary = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b5f8a",
        "color-brand-content": "#0b5f8a",
        "color-brand-visited": "#5d4a8a",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7cc4ea",
        "color-brand-content": "#7cc4ea",
        "color-brand-visited": "#b7a5e8",
    },
}


def describe(  # As Sphinx calls it.
    _app: Sphinx, what: str, name: str, thing: Any, _options: Any, lines: list[str]
) -> None:
    """Put the settings that both clients share under each, and keep napoleon from guessing."""
    if what == "class" and name in {"taurusdb_starrocks.Client", "taurusdb_starrocks.AsyncClient"}:
        shared = inspect.getdoc(thing.__bases__[0]) or ""
        lines.extend(["", *shared.partition("\n")[2].splitlines(), ""])
    if what == "property":
        lines[:0] = ["..", ""]  # Else what stands before a colon is taken for a type.


def spell_out(  # As Sphinx calls it.
    _app: Sphinx, what: str, name: str, _thing: Any, _options: Any, signature: str, result: str
) -> tuple[str, str] | None:
    """Write what a private name stands for."""
    if what != "class" or not signature:
        return None
    if name in {"taurusdb_starrocks.Window", "taurusdb_starrocks.AsyncWindow"}:
        return "", result  # Made by the clients alone.
    return signature.replace("_rules.Language", "Literal['en-us', 'zh-cn']"), result


def describe_search(
    _app: Sphinx, page: str, _template: str, context: dict[str, Any], _document: Any
) -> None:
    """Give the one page that has no source a description."""
    if page == "search":
        says = "Search the pages about pausing and resuming StarRocks replication in TaurusDB."
        tag = f'<meta content="{says}" name="description" />'
        context["metatags"] = context.get("metatags", "") + tag


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    assert taurusdb_starrocks.Client.__bases__[0].__name__ == "Verbs"
    # Before napoleon, which turns sections into fields.
    app.connect("autodoc-process-docstring", describe, priority=400)
    app.connect("autodoc-process-signature", spell_out)
    app.connect("html-page-context", describe_search)
