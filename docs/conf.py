"""Sphinx configuration. The site is built from this folder, docstrings and openapi.yaml."""
# ruff: noqa: INP001  # Read by Sphinx, not a package.

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

import attrs
import taurusdb_starrocks
import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from taurusdb_starrocks_emulator.faults.kinds import KINDS

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import http_reference  # noqa: E402  # In this folder, which Sphinx does not search.

project = "taurusdb-starrocks"
author = "taurusdb-starrocks maintainers"
version = release = taurusdb_starrocks.__version__
html_title = f"{project} {release}"
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["*.py"]
# The docstrings of the emulator write code in single backticks.
default_role = "code"

myst_enable_extensions = [
    "attrs_block",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "fieldlist",
    "substitution",
]
myst_heading_anchors = 3


def default(value: object) -> str:
    """The default of a parameter for the table of faults."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f"`{value}`"
    return f"{value >> 20} MiB" if isinstance(value, int) and value >= 1 << 20 else f"{value:g}"


def fault_table() -> str:
    """The fault kinds of the emulator as a Markdown table."""
    rows = ["| kind | what the caller sees | parameters (default) |", "|---|---|---|"]
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
napoleon_use_rtype = False
toc_object_entries_show_parents = "hide"

# Names that are not on this site and are not linked. The build makes no request to other hosts, so
# it does not download inventories of other projects.
nitpick_ignore_regex = [
    (r"py:.*", r"(httpx|ssl|contextlib|collections|datetime|enum|os|pathlib|typing|types)\..*"),
    (r"py:.*", r"(Iterable|Mapping|Callable|Iterator|AsyncIterator|Sequence|Any|Self|Literal)"),
    (r"py:.*", r"(AbstractContextManager|AbstractAsyncContextManager|Path|Unpack|SSLContext)"),
    (r"py:.*", r"(str|int|float|bool|None|object|dict|list|tuple|datetime|Enum|Exception)"),
    (r"py:.*", r"(ValueError|TimeoutError|RuntimeError|LookupError|OSError|ExceptionGroup)"),
    (r"py:.*", r"(TypedDict|ASGIApp|starlette\..*|sqlite3\..*|Mode|Transport|optional)"),
    (r"py:.*", r"(taurusdb_starrocks_api\..*|AuthenticatedClient)"),
    (r"py:.*", r"(taurusdb_starrocks\.(durable|fleet)\._.*|Verb|State)"),
]

html_theme = "furo"
html_favicon = "_static/mark.svg"
html_logo = "_static/mark.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_use_index = False
html_domain_indices = False
# Sphinx fetches summaries from the pages, which a browser does not allow for files. Our summaries
# come from a file of excerpts, see _static/search.js.
html_show_search_summary = False
# Prompts and output are not copied.
copybutton_prompt_text = "$ "
copybutton_line_continuation_character = "\\"
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


CLIENT = "taurusdb_starrocks.Client"


def describe(  # The signature that Sphinx requires.
    _app: Sphinx, what: str, name: str, _thing: Any, _options: Any, lines: list[str]
) -> None:
    """Put the settings of both clients under one, and keep napoleon from guessing."""
    if name == CLIENT:
        lines.extend(["", *settings_table(), ""])
    if what == "property":
        lines[:0] = ["..", ""]  # Otherwise the text before a colon is taken as a type.


def settings_table() -> list[str]:
    """The settings of a client as a reStructuredText table: name, default, meaning."""
    shared = taurusdb_starrocks.Client.__bases__[0]
    told = (inspect.getdoc(shared) or "").partition("Args:\n")[2].partition("\n\n")[0]
    meanings = dict(re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", told, re.MULTILINE))
    parameters = inspect.signature(taurusdb_starrocks.Client).parameters
    assert list(meanings) == list(parameters)
    lines = [".. list-table::", "   :header-rows: 1", "", "   * - setting", "     - default"]
    lines.append("     - meaning")
    for name, parameter in parameters.items():
        preset = "none" if parameter.default is None else f"``{parameter.default!r}``"
        lines += [f"   * - ``{name}``", f"     - {preset}"]
        lines.append(f"     - {' '.join(meanings[name].split())}")
    return lines


def spell_out(  # The signature that Sphinx requires.
    _app: Sphinx, what: str, name: str, thing: Any, _options: Any, signature: str, result: str
) -> tuple[str, str] | None:
    """Replace private names, and do not repeat the settings."""
    if what == "function" and hasattr(thing, "__wrapped__") and result:
        # A generator function that contextlib has turned into a context manager.
        manager = r"~contextlib.Abstract\1ContextManager"
        return signature, re.sub(r"^~collections\.abc\.(\w*)Iterator", manager, result)
    if what != "class" or not signature:
        return None
    if name in {CLIENT, "taurusdb_starrocks.AsyncClient"}:
        return "(*, ...)", result  # They are in a table.
    if name.rpartition(".")[2] in NOT_CREATED:
        return "", result
    if attrs.has(thing):
        # Otherwise the signature has the names of variables in the generated constructor.
        fields = attrs.fields_dict(thing)
        signature = ATTRS_DEFAULT.sub(
            lambda found: f"{found[1]}: {found[2]} = {default_of(fields[found[1]])!r}", signature
        )
    return signature, result


# Classes whose objects users get, but do not create. Their constructors have private types.
NOT_CREATED = {
    *("Window", "AsyncWindow", "DurableWindow", "AsyncDurableWindow"),
    *("FleetWindow", "AsyncFleetWindow", "Result", "Members"),
}
# A parameter whose default is a variable in a constructor that attrs has generated.
ATTRS_DEFAULT = re.compile(r"(\w+): ([^:=]+) = (?:attr_dict\['\w+'\]\.default|NOTHING)")


def default_of(field: Any) -> object:
    """The default of a field of an attrs class."""
    factory = getattr(field.default, "factory", None)
    return factory() if factory else field.default


def complete_page(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], _document: Any
) -> None:
    """Add support for keyboards, screen readers, narrow screens, and the search page."""
    body = context.get("body") or ""
    body = PART_OF_CODE.sub(lambda part: PART_ENDS.sub(r"\1<wbr>", part[0]), body)
    body = body.replace(BRACKET, f"{BRACKET}<wbr>")
    body = WIDE.sub(r'\g<0> tabindex="0"', body)
    body = PARAMETERS.sub(
        lambda lines: lines[0].replace("dl>", "div>").replace("dd>", "div>"), body
    )
    context["body"] = body
    captions = context["furo_navigation_tree"]
    context["furo_navigation_tree"] = captions.replace(
        'role="heading"', 'role="heading" aria-level="2"'
    )
    if page == "search":
        says = "Search the pages about pausing and resuming StarRocks replication in TaurusDB."
        tag = f'<meta content="{says}" name="description" />'
        context["metatags"] = context.get("metatags", "") + tag
        app.add_js_file("excerpts.js")
        app.add_js_file("search.js")


# A word of code in Sphinx's HTML. A long one may break after a separator.
PART_OF_CODE = re.compile(r'<span class="(?:pre|n)">[^<]{16,}</span>')
# The start of the arguments of a type, where a long one may break too.
BRACKET = '<span class="p"><span class="pre">[</span></span>'
# Elements that may be wider than the page. With a tab stop, they can be scrolled by keyboard.
WIDE = re.compile(r'<pre(?=>)|<div class="table-wrapper[^"]*"')
# The lines of a long signature, which are a definition list without definitions.
PARAMETERS = re.compile(r"<dl>\n<dd>.*?</dl>", re.DOTALL)
PART_ENDS = re.compile(r"(?<=[\w}])([_./=,:(\[])(?=[\w{])")


def write_excerpts(app: Sphinx, error: Exception | None) -> None:
    """Write the text of all sections into a script for the search results."""
    if error is not None:
        return
    pages = {
        name: [
            [ids_of(part), " ".join(own_text(part).split())]
            for part in app.env.get_doctree(name).findall(lambda node: isinstance(node, PARTS))
        ]
        for name in sorted(app.env.found_docs)
    }
    text = json.dumps(pages, ensure_ascii=False, separators=(",", ":"))
    target = Path(app.outdir, "_static", "excerpts.js")
    target.write_text(f"window.EXCERPTS = {text};\n", encoding="utf-8")


# The targets of search results.
PARTS = (nodes.section, addnodes.desc)


def ids_of(part: nodes.Element) -> list[str]:
    """The anchors of a section or of an API entry."""
    if isinstance(part, addnodes.desc):
        return [anchor for line in part.children[:-1] for anchor in line["ids"]]
    return list(part["ids"])


def own_text(part: nodes.Element) -> str:
    """The text of a part without its title and subsections."""
    inner = part[-1] if isinstance(part, addnodes.desc) else part  # Below the signatures.
    skipped = (*PARTS, nodes.title, nodes.comment, nodes.raw)
    return " ".join(node.astext() for node in inner.children if not isinstance(node, skipped))


def insert_http_reference(_app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the comments that name a part of openapi.yaml by that part."""
    if page == "reference/http":
        document = yaml.safe_load((HERE.parent / "openapi.yaml").read_text(encoding="utf-8"))
        for name, text in http_reference.render(document).items():
            source[0] = source[0].replace(f"<!-- {name} of openapi.yaml -->", text)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    assert taurusdb_starrocks.Client.__bases__[0].__name__ == "Verbs"
    # Before napoleon, which turns sections into fields.
    app.connect("autodoc-process-docstring", describe, priority=400)
    app.connect("autodoc-process-signature", spell_out)
    app.connect("source-read", insert_http_reference)
    app.connect("html-page-context", complete_page, priority=900)  # After the theme.
    app.connect("build-finished", write_excerpts)
