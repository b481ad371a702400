"""What a run leaves in `reports/`: JUnit, HAR, and a page for people. None of it has the token."""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import quoteattr

import tracecov
import yaml

from .contract import SPEC
from .target import Target
from .wire import Exchange, Request

# What each check demands. The first fourteen are schemathesis' own.
CHECKS: Mapping[str, str] = {
    "not_a_server_error": "No answer is a 5xx.",
    "status_code_conformance": "Every status is documented.",
    "content_type_conformance": "Every answer has the documented content type.",
    "response_headers_conformance": "Documented headers fit their schema.",
    "response_schema_conformance": "Every body fits its schema.",
    "negative_data_rejection": "A malformed request is refused.",
    "positive_data_acceptance": "A right request is accepted.",
    "missing_required_header": "A request without a required header is refused.",
    "unsupported_method": "A method that the contract does not have is refused.",
    "allow_header_conformance": "`Allow` names the contract's methods.",
    "use_after_free": "What was deleted is gone.",
    "ensure_resource_availability": "What was created is there.",
    "ignored_auth": "Nothing is done for a caller who has not proved who they are.",
    "object_level_authorization": "One identity does not see another's objects.",
    "answers": "Every request is answered.",
    "response_time": "Every answer comes in time.",
    "request_id": "Every answer has an `X-Request-Id` of its own.",
    "token_not_echoed": "No answer carries a token.",
    "internals_not_leaked": "No answer shows a traceback, a query or a path of the program.",
    "refusal_is_explained": "Every refusal has a code and a text.",
    "job_has_id": "Every accepted change has a job ID.",
    "job_id_is_new": "No two changes have the same job ID.",
    "invalid_accepted": "No 2xx answers an identifier or a name that breaks the rules.",
    "unknown_is_refused": "No 2xx answers for a project, an instance or a task that is not there.",
    "content_type_is_checked": "A body that is said not to be JSON is refused.",
    "path_is_exact": "No 2xx answers a path that the contract does not have.",
    "resume_after_pause": "A paused task can be resumed.",
    "pause_after_resume": "A resumed task can be paused.",
    "change_takes_effect": "The list shows in the end what was accepted.",
    "refusal_changes_nothing": "What was refused has changed nothing.",
    "other_tasks_untouched": "No other task is paused or resumed.",
    "task_is_listed": "The list shows the task.",
    "pages_fit": "Pages keep to their limit and show each task once.",
}


STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}
td,th{border:1px solid #8886;padding:.2rem .6rem;text-align:left;vertical-align:top}
pre{white-space:pre-wrap;word-break:break-all;background:#8882;padding:.6rem}
section{border-left:.3rem solid #c33;padding-left:1rem}
:root{color-scheme:light dark}
"""


@dataclass
class Finding:
    """A fault: the check that failed, where, and the exchange that shows it."""

    check: str
    where: str
    message: str
    exchange: Exchange | None
    times: int = 1


@dataclass
class Outcome:
    """What a run has found."""

    target: Target
    seed: int
    findings: list[Finding] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def cases(self) -> int:
        """How many requests were cases, and not there to prepare or look after one."""
        return sum(exchange.case for exchange in self.exchanges)


def coverage_of(exchanges: Sequence[Exchange], target: Target) -> tracecov.CoverageMap:
    """How much of the contract these exchanges have exercised."""
    schema = yaml.safe_load(SPEC.read_text(encoding="utf-8"))
    schema["servers"] = [{"url": "/"}]
    coverage = tracecov.CoverageMap.from_dict(schema, base_path=target.base or None)
    parts = urlsplit(target.url)
    for exchange in exchanges:
        request, reply = exchange.request, exchange.reply
        coverage.record(
            tracecov.HttpRequest(
                method=request.method,
                url=f"{parts.scheme}://{parts.netloc}{request.path}",
                body=request.body or None,
                headers=dict(request.headers),
            ),
            None
            if reply is None
            else tracecov.HttpResponse(
                status_code=reply.status,
                elapsed=exchange.seconds,
                body=reply.body,
                headers=dict(reply.headers),
            ),
            exchange.time,
        )
    return coverage


def redacted(text: str, target: Target) -> str:
    """A text without the token."""
    plain = base64.b64encode(target.token.encode()).decode().rstrip("=")
    return text.replace(target.token, "$TAURUSDB_FUZZ_TOKEN").replace(plain, "[token]")


def curl(request: Request, target: Target) -> str:
    """The command that sends a request again, with the token left to the environment."""
    parts = urlsplit(target.url)
    words = ["curl", "-i", "--path-as-is", "-X", request.method]
    for name, value in request.headers:
        if name.lower() in (
            "host",
            "user-agent",
            "accept",
            "accept-encoding",
            "connection",
            "content-length",
        ):
            continue
        if target.token in value:
            shown = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
            shown = shown.replace(target.token, "$TAURUSDB_FUZZ_TOKEN")
            words += ["-H", f'"{name}: {shown}"']
        else:
            words += ["-H", _quoted(f"{name}: {value}" if value else f"{name};")]
    if request.body:
        shown_body = request.body if len(request.body) <= 2000 else request.body[:2000] + b"..."
        words += ["--data-binary", _quoted(shown_body.decode("latin-1"))]
    words.append(_quoted(f"{parts.scheme}://{parts.netloc}{request.path}"))
    return redacted(" ".join(words), target)


def _quoted(text: str) -> str:
    """A word of the shell; bytes that cannot stand in one are escaped as bash has it."""
    if text.isascii() and text.isprintable():
        return shlex.quote(text)
    parts = []
    for char in text:
        if char in "\\'":
            parts.append("\\" + char)
        elif char.isascii() and char.isprintable():
            parts.append(char)
        else:
            parts.append("".join(f"\\x{byte:02x}" for byte in char.encode("latin-1", "replace")))
    return "$'" + "".join(parts) + "'"


def write(outcome: Outcome, folder: Path, last_line: str) -> None:
    """Write all reports into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    target = outcome.target
    coverage = coverage_of(outcome.exchanges, target)
    texts = {
        "fuzz.junit.xml": _junit(outcome),
        "fuzz.har": json.dumps(_har(outcome), ensure_ascii=True),
        "fuzz.html": _page(outcome, coverage, last_line),
        "coverage.json": coverage.generate_json_report(),
        "coverage.html": coverage.generate_html_report(title="Coverage of openapi.yaml"),
    }
    for name, text in texts.items():
        (folder / name).write_text(redacted(text, target), encoding="utf-8")


def _junit(outcome: Outcome) -> str:
    lines = []
    for check in sorted({*CHECKS, *(finding.check for finding in outcome.findings)}):
        failures = [finding for finding in outcome.findings if finding.check == check]
        lines.append(f'  <testcase classname="fuzz" name={quoteattr(check)}>')
        if failures:
            text = "\n\n".join(
                f"{finding.where}: {finding.message} (seen {finding.times} times)\n"
                + (curl(finding.exchange.request, outcome.target) if finding.exchange else "")
                for finding in failures
            )
            message = quoteattr(_xml(failures[0].message))
            lines.append(f"    <failure message={message}>{html.escape(_xml(text))}</failure>")
        lines.append("  </testcase>")
    failed = len({finding.check for finding in outcome.findings})
    head = (
        f'<testsuite name="fuzz" tests="{len(lines)}" failures="{failed}" errors="0" '
        f'time="{outcome.seconds:.3f}">'
    )
    count = sum(line.startswith("  <testcase") for line in lines)
    head = head.replace(f'tests="{len(lines)}"', f'tests="{count}"')
    return '<?xml version="1.0" encoding="utf-8"?>\n' + "\n".join(
        [head, *lines, "</testsuite>", ""]
    )


def _xml(text: str) -> str:
    """A text with what XML cannot hold shown as escapes."""
    return "".join(
        char if char in "\t\n" or (char.isprintable() and ord(char) < 0xFFFE) else ascii(char)[1:-1]
        for char in text
    )


def _har(outcome: Outcome) -> dict[str, Any]:
    entries = [_entry(exchange, outcome.target) for exchange in outcome.exchanges]
    creator = {"name": "taurusdb-starrocks contract tests", "version": "1"}
    return {"log": {"version": "1.2", "creator": creator, "entries": entries}}


def _entry(exchange: Exchange, target: Target) -> dict[str, Any]:
    request, reply = exchange.request, exchange.reply
    parts = urlsplit(target.url)
    milliseconds = exchange.seconds * 1000
    began = datetime.fromtimestamp(exchange.time, UTC).isoformat().replace("+00:00", "Z")
    query = request.path.partition("?")[2]
    sent: dict[str, Any] = {
        "method": request.method,
        "url": f"{parts.scheme}://{parts.netloc}{request.path}",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": name, "value": value} for name, value in request.headers],
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(query, keep_blank_values=True)
        ],
        "headersSize": -1,
        "bodySize": len(request.body),
    }
    if request.body:
        kind = request.header("Content-Type") or ""
        sent["postData"] = {"mimeType": kind, **_content(request.body, "_encoding")}
    status = reply.status if reply else 0
    got: dict[str, Any] = {
        "status": status,
        "statusText": _phrase(status),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [
            {"name": name, "value": value} for name, value in (reply.headers if reply else ())
        ],
        "content": {
            "size": len(reply.body) if reply else 0,
            "mimeType": (reply.header("Content-Type") if reply else None) or "",
            **(_content(reply.body, "encoding") if reply else {}),
        },
        "redirectURL": (reply.header("Location") if reply else None) or "",
        "headersSize": -1,
        "bodySize": len(reply.body) if reply else -1,
    }
    return {
        "startedDateTime": began,
        "time": milliseconds,
        "request": sent,
        "response": got,
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
        "comment": exchange.source
        + (f"; failed: {', '.join(exchange.failed)}" if exchange.failed else ""),
    }


def _content(body: bytes, key: str) -> dict[str, str]:
    body = body[:100_000]
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(body).decode(), key: "base64"}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _page(outcome: Outcome, coverage: tracecov.CoverageMap, last_line: str) -> str:
    def row(*cells: object, tag: str = "td") -> str:
        return (
            "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"
        )

    target = outcome.target
    about = (
        f"{target.url}, seed {outcome.seed}, {outcome.seconds:.0f} s, "
        f"{len(outcome.exchanges)} requests of which {outcome.cases} are cases."
    )
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Fuzz</title>",
        f"<style>{STYLE}</style>",
        f"<h1>{html.escape(last_line)}</h1>",
        f"<p>{html.escape(about)}</p>",
        *(f"<p><strong>{html.escape(note)}</strong></p>" for note in outcome.notes),
    ]
    if outcome.findings:
        parts.append("<h2>Faults</h2>")
        for finding in outcome.findings:
            parts.append(
                f"<section><h3>{html.escape(finding.check)}: {html.escape(finding.where)}</h3>"
                f"<p>{html.escape(CHECKS.get(finding.check, ''))} Seen {finding.times} times.</p>"
                f"<pre>{html.escape(_xml(finding.message))}</pre>"
            )
            if finding.exchange is not None:
                parts.append(f"<pre>{html.escape(curl(finding.exchange.request, target))}</pre>")
                if (reply := finding.exchange.reply) is not None:
                    heads = "\n".join(f"{name}: {value}" for name, value in reply.headers)
                    body = reply.body[:2000].decode("utf-8", "replace")
                    answer = f"{reply.status}\n{heads}\n\n{body}"
                    parts.append(f"<pre>{html.escape(answer)}</pre>")
            parts.append("</section>")
    parts.append("<h2>Coverage</h2><table>" + row("of", "covered", "in all", "percent", tag="th"))
    summary: Any = coverage.build_json_report()["summary"]
    for dimension in ("operations", "parameters", "keywords", "examples", "responses"):
        part = summary[dimension]
        parts.append(row(dimension, part["covered"], part["total"], f"{part['percent']:.1f}"))
    parts.append("</table>")
    gaps = coverage.coverage_gaps()
    if gaps:
        parts.append("<h3>Not covered</h3><table>" + row("what", "where", tag="th"))
        for gap in gaps:
            shown: Any = dict(gap)
            kind, place = shown.pop("kind"), " ".join(str(value) for value in shown.values())
            parts.append(row(kind, place))
        parts.append("</table>")
    parts.append(
        "<p><a href=coverage.html>Coverage in detail</a>, <a href=fuzz.har>all requests (HAR)</a>, "
        "<a href=fuzz.junit.xml>JUnit</a></p><h2>Requests</h2><table>"
    )
    statuses = sorted(
        {exchange.reply.status if exchange.reply else 0 for exchange in outcome.exchanges}
    )
    parts.append(row("for", *(status or "none" for status in statuses), tag="th"))
    counts: Counter[tuple[str, int]] = Counter(
        (exchange.source.partition(":")[0], exchange.reply.status if exchange.reply else 0)
        for exchange in outcome.exchanges
    )
    parts += [
        row(source, *(counts[source, status] or "" for status in statuses))
        for source in sorted({source for source, _ in counts})
    ]
    parts.append("</table><h2>Checks</h2><table>" + row("check", "demands", "faults", tag="th"))
    for check, demand in CHECKS.items():
        number = sum(finding.check == check for finding in outcome.findings)
        parts.append(row(check, demand, number or ""))
    return "".join([*parts, "</table></html>"])
