"""The table of faults: what is wrong with a server, and the check that must find it.

A fault replaces steps of `server.Service`. A replacement gets the service, the correct step, and the
arguments of the step. To add a fault, add a line.
"""

from __future__ import annotations

import json
import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from tests.power.server import INSTANCE, OTHER, PROJECT, TASK, TOKEN, Answer, Refused, Service, Task

Step = Callable[..., Any]


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a server.

    Attributes:
        check: The check that must find it; None if nothing can.
        why: Why nothing can.
        warning: Whether it is only a warning: frameworks do it by themselves.
    """

    area: str
    name: str
    check: str | None
    steps: Mapping[str, Step]
    settings: Mapping[str, Any]
    why: str = ""
    warning: bool = False

    def service(self) -> Service:
        """A server with this fault."""

        def replaced(step: Step, original: Step) -> Step:
            def method(self: Service, *arguments: Any) -> Any:
                return step(self, partial(original, self), *arguments)

            return method

        own = {name: replaced(step, getattr(Service, name)) for name, step in self.steps.items()}
        kind = type("FaultyService", (Service,), own)
        return kind(**self.settings)


FAULTS: list[Fault] = []
AREAS = (
    "authentication",
    "headers",
    "body rules",
    "path rules",
    "status codes",
    "response schema",
    "content type",
    "state",
    "list",
    "leaks",
    "robustness",
    "slowness",
    "consistency",
    "concurrency",
    "overrides",
    "frameworks",
)


def fault(
    area: str,
    name: str,
    check: str | None,
    *,
    why: str = "",
    settings: Any = None,
    warning: bool = False,
    **steps: Step,
) -> None:
    """Add a line to the table."""
    FAULTS.append(Fault(area, name, check, steps, settings or {}, why, warning))


# Replacements that several lines use

Answered = Callable[[Answer], None]


def on(status: int | None, change: Answered, *, verbs: str = "") -> Step:
    """Change the answers with a status."""

    def finish(service: Service, right: Step, call: Any, answer: Answer) -> Answer:
        if status in (None, answer.status) and (not verbs or re.search(verbs, call.path)):
            change(answer)
        return answer

    return finish


def put(**values: Any) -> Answered:
    """Change attributes of an answer."""

    def change(answer: Answer) -> None:
        for name, value in values.items():
            setattr(answer, name, value)

    return change


def header(name: str, value: str) -> Answered:
    """Set a header of an answer; an empty value leaves it out."""

    def change(answer: Answer) -> None:
        answer.headers[name] = value

    return change


def document(change: Callable[[Any], Any]) -> Answered:
    """Change the document of an answer."""

    def apply(answer: Answer) -> None:
        answer.document = change(answer.document)

    return apply


def crash_if(test: Callable[[Any], bool]) -> Step:
    """Fail when something is met."""

    def step(service: Service, right: Step, *arguments: Any) -> Any:
        if test(*arguments):
            raise RuntimeError("met")
        return right(*arguments)

    return step


def every(number: int, change: Answered) -> Step:
    """Change each so-manieth answer."""

    def finish(service: Service, right: Step, call: Any, answer: Answer) -> Answer:
        if call.number % number == 0:
            change(answer)
        return answer

    return finish


def _depth(text: bytes) -> int:
    deepest = depth = 0
    for byte in text:
        depth += (byte in b"[{") - (byte in b"]}")
        deepest = max(deepest, depth)
    return deepest


ROW = "replication$"
CHANGES = "pause$|resume$"

# A fault is a line.
# fmt: off
# --- authentication
A = "authentication"
fault(A, "no token is required", "ignored_auth", proved=lambda s, r, c: True)
fault(A, "any token is accepted", "ignored_auth", proved=lambda s, r, c: bool(c.header("x-auth-token")))
fault(A, "an empty token is accepted", "ignored_auth", proved=lambda s, r, c: c.header("x-auth-token") in (TOKEN, ""))
fault(A, "a prefix of the token is accepted", "ignored_auth", proved=lambda s, r, c: bool(t := c.header("x-auth-token")) and TOKEN.startswith(t))
fault(A, "a token with extra characters at the end is accepted", "ignored_auth", proved=lambda s, r, c: (c.header("x-auth-token") or "").startswith(TOKEN))
fault(A, "case is ignored when tokens are compared", "ignored_auth", proved=lambda s, r, c: (c.header("x-auth-token") or "").lower() == TOKEN.lower())
fault(A, "any Authorization header is accepted", "ignored_auth", proved=lambda s, r, c: r(c) or c.header("authorization") is not None)
fault(A, "any signature is accepted", "ignored_auth", proved=lambda s, r, c: r(c) or "Signature=" in (c.header("authorization") or ""))
fault(A, "a token in the query is accepted", "ignored_auth", proved=lambda s, r, c: r(c) or TOKEN in c.query)
fault(A, '"Bearer" before the token is accepted', "ignored_auth", proved=lambda s, r, c: (c.header("x-auth-token") or "").removeprefix("Bearer ") == TOKEN)
fault(A, "resume requires no token", "ignored_auth", proved=lambda s, r, c: r(c) or c.path.endswith("resume"))
fault(A, "the list requires no token", "ignored_auth", proved=lambda s, r, c: r(c) or c.method == "GET")
fault(A, "400 instead of 401", "ignored_auth", finish=on(401, put(status=400)))
fault(A, "500 for a missing token", "not_a_server_error", proved=lambda s, r, c: c.headers["X-Auth-Token"] == TOKEN or r(c))
fault(A, "the token is accepted for other projects", "unknown_is_refused", project_ok=lambda s, r, p: True)
fault(A, "a pause with a rejected token takes effect", "refusal_changes_nothing", proved=lambda s, r, c: r(c) or bool(c.path.endswith("pause") and setattr(s.instances[INSTANCE][TASK], "stage", "Paused")))

# --- headers
A = "headers"
fault(A, "no X-Request-Id on 200", "request_id", finish=on(200, header("X-Request-Id", "")))
fault(A, "no X-Request-Id on 400", "request_id", finish=on(400, header("X-Request-Id", "")))
fault(A, "no X-Request-Id on 401", "request_id", finish=on(401, header("X-Request-Id", "")))
fault(A, "no X-Request-Id on lists", "request_id", finish=on(200, header("X-Request-Id", ""), verbs=ROW))
fault(A, "the same X-Request-Id on every response", "request_id", finish=on(None, header("X-Request-Id", "1f3c5a7e9b0d4c6f8a2e4d6b8c0f1a3e")))
fault(A, "the request ID in the body differs from the header", "request_id", finish=on(401, document(lambda d: {**d, "request_id": uuid4().hex})))
fault(A, "any X-Language is accepted", "negative_data_rejection", language_ok=lambda s, r, v: True)
fault(A, "X-Language zh-cn is rejected", "positive_data_acceptance", language_ok=lambda s, r, v: v in (None, "en-us"))
fault(A, "X-Language is required", "positive_data_acceptance", language_ok=lambda s, r, v: v is not None and r(v))
fault(A, "header names are case-sensitive", "positive_data_acceptance", proved=lambda s, r, c: c.headers.get("X-Auth-Token") == TOKEN)

# --- body rules
A = "body rules"
fault(A, "dashes in a name are removed", "invalid_accepted", name_ok=lambda s, r, n: True, task=lambda s, r, t, n: r(t, n.replace("-", "")))
fault(A, "a trailing newline in a name is accepted", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and bool(re.match(r"^[A-Za-z0-9_]{3,128}$", n)), task=lambda s, r, t, n: r(t, n.strip()))
fault(A, "white space around a name is removed", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and r(n.strip()), task=lambda s, r, t, n: r(t, n.strip()))
fault(A, "names are Unicode-normalized", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and r(unicodedata.normalize("NFKC", n)), task=lambda s, r, t, n: r(t, unicodedata.normalize("NFKC", n)))
fault(A, "names are truncated at a NUL character", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and r(n.split("\0")[0]), task=lambda s, r, t, n: r(t, n.split("\0")[0]))
fault(A, "names that are not strings are converted", "invalid_accepted", name_ok=lambda s, r, n: r(str(n)) or isinstance(n, (int, list)), task=lambda s, r, t, n: t[TASK] if n == "1234" else r(t, n))
fault(A, "Unicode letters and digits in a name are accepted", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and bool(re.fullmatch(r"\w{3,128}", n)), task=lambda s, r, t, n: t[TASK] if not n.isascii() else r(t, n))
fault(A, "a name of two characters selects a task", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and bool(re.fullmatch(r"[A-Za-z0-9_]{2,128}", n)), task=lambda s, r, t, n: t[TASK] if len(n) < 3 else r(t, n))
fault(A, "names are truncated to 128 characters", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and r(n[:128]), task=lambda s, r, t, n: t[TASK] if len(n) > 128 else r(t, n))
fault(A, "any name selects a task", "unknown_is_refused", task=lambda s, r, t, n: t[TASK])
fault(A, "an unknown name creates a task", "unknown_is_refused", task=lambda s, r, t, n: t.setdefault(n, Task()))
fault(A, "a list of names is accepted", "invalid_accepted", name_ok=lambda s, r, n: r(n[0] if isinstance(n, list) and n else n), task=lambda s, r, t, n: r(t, n.strip("[]'")))
fault(A, "the task name is optional", "negative_data_rejection", parse=lambda s, r, b: {"task_name": TASK, **(d if isinstance(d := r(b), dict) else {})})
fault(A, "taskName is accepted instead of task_name", "negative_data_rejection", parse=lambda s, r, b: {**d, "task_name": d.get("task_name", d.get("taskName"))} if isinstance(d := r(b), dict) else d)
fault(A, "an empty body selects a task", "negative_data_rejection", parse=lambda s, r, b: r(b) if b else {"task_name": TASK})
fault(A, "data after the JSON object is ignored", "negative_data_rejection", parse=lambda s, r, b: json.JSONDecoder().raw_decode(b.decode().lstrip())[0])
fault(A, "an object inside a list is accepted", "negative_data_rejection", parse=lambda s, r, b: d[0] if isinstance(d := r(b), list) and d else d)
fault(A, "JSON with single quotes is accepted", "negative_data_rejection", parse=lambda s, r, b: r(b.replace(b"'", b'"')))
fault(A, "additional properties are rejected", "positive_data_acceptance", parse=lambda s, r, b: {} if isinstance(d := r(b), dict) and len(d) > 1 else d)
fault(A, "bytes that are not UTF-8 are ignored", "negative_data_rejection", parse=lambda s, r, b: r(b.decode("utf-8", "ignore").encode()))
fault(A, "JSON escapes are not decoded", "positive_data_acceptance", parse=lambda s, r, b: {} if b"\\u" in b else r(b))

# --- content type of requests
fault(A, "any content type is accepted", "content_type_is_checked", type_ok=lambda s, r, k: True)
fault(A, "text/plain is accepted", "content_type_is_checked", type_ok=lambda s, r, k: r(k) or (k or "").startswith("text/plain"))
fault(A, "form data is accepted", "content_type_is_checked", type_ok=lambda s, r, k: (s.memory.update(kind=k or ""), r(k) or "form" in (k or ""))[1], parse=lambda s, r, b: {"task_name": TASK} if "form" in s.memory["kind"] and TASK.encode() in b else r(b))
fault(A, "a content type that contains application/json is accepted", "content_type_is_checked", type_ok=lambda s, r, k: "application/json" in (k or ""))
fault(A, "a content type with a charset is rejected", "positive_data_acceptance", type_ok=lambda s, r, k: k == "application/json")

# --- path rules
A = "path rules"
fault(A, "any instance ID is accepted", "unknown_is_refused", find=lambda s, r, i: s.instances.get(i, s.instances[INSTANCE]))
fault(A, "the suffix of an instance ID is ignored", "unknown_is_refused", find=lambda s, r, i: next((t for k, t in s.instances.items() if k[:32] == i[:32]), None))
fault(A, "a trailing newline in an instance ID is accepted", "invalid_accepted", identifier_ok=lambda s, r, p, v: bool(re.match(f"^{p}$", v)), find=lambda s, r, i: r(i.strip()), project_ok=lambda s, r, p: r(p.strip()))
fault(A, "a trailing newline in a project ID is accepted", "invalid_accepted", identifier_ok=lambda s, r, p, v: bool(re.match(f"^{p}$", v)), project_ok=lambda s, r, p: r(p.strip()))
fault(A, "white space around IDs is removed", "invalid_accepted", identifier_ok=lambda s, r, p, v: r(p, v.strip()), find=lambda s, r, i: r(i.strip()), project_ok=lambda s, r, p: r(p.strip()))
fault(A, "hyphens in an instance ID are removed", "invalid_accepted", identifier_ok=lambda s, r, p, v: r(p, v.replace("-", "")), find=lambda s, r, i: r(i.replace("-", "")))
fault(A, "malformed instance IDs are accepted", "invalid_accepted", identifier_ok=lambda s, r, p, v: True, find=lambda s, r, i: s.instances.get(i, s.instances[INSTANCE] if not re.fullmatch("[0-9A-Za-z]{36}", i) else None))
fault(A, "an instance ID with an uppercase suffix is accepted", "invalid_accepted", identifier_ok=lambda s, r, p, v: r(p, v) or r(p, v.lower()), find=lambda s, r, i: r(i.lower()))
fault(A, "an encoded slash and .. change the path", "invalid_accepted", route=lambda s, r, c: (setattr(c, "path", _way_up(c.path.replace("%2F", "/"))), r(c))[1])
fault(A, "an empty list for an unknown instance", "unknown_is_refused", find=lambda s, r, i: r(i) if i in s.instances else ({} if s.memory.get("get") else None), listed=lambda s, r, c, i: (s.memory.update(get=True), r(c, i), s.memory.update(get=False))[1])
fault(A, "similar paths are accepted", "path_is_exact", route=lambda s, r, c: (setattr(c, "path", re.sub(r"(pause|resume)\w$", r"\1", c.path)), r(c))[1])

# --- status codes
A = "status codes"
fault(A, "201 for an accepted change", "status_code_conformance", accepted=lambda s, r, j: Answer(201, {"job_id": j}))
fault(A, "202 for an accepted resume", "status_code_conformance", finish=on(200, put(status=202), verbs="resume$"))
fault(A, "204 without a body", "status_code_conformance", accepted=lambda s, r, j: Answer(204))
fault(A, "404 for an unknown instance", "status_code_conformance", change=lambda s, r, c, v, i: r(c, v, i) if i in s.instances else s.refused(c, 404, "DBS.200022", "Instance not found."))
fault(A, "404 for an unknown task", "status_code_conformance", task=lambda s, r, t, n: t.get(n) or _refuse(Answer(404, {"error_code": "DBS.1", "error_msg": "?"})))
fault(A, "409 for a second pause", "status_code_conformance", settings={"strict": True}, possible=lambda s, r, t, v: r(t, v) or _refuse(Answer(409, {"error_code": "DBS.1", "error_msg": "?"})))
fault(A, "422 for a malformed name", "status_code_conformance", name_ok=lambda s, r, n: r(n) or _refuse(Answer(422, {"error_code": "DBS.1", "error_msg": "?"})))
fault(A, "422 for a bad limit", "status_code_conformance", limits=lambda s, r, c: _or(lambda: r(c), 422))
fault(A, "500 for an unknown task", "not_a_server_error", task=lambda s, r, t, n: t[n])
fault(A, "500 for an unknown instance", "not_a_server_error", find=lambda s, r, i: s.instances[i])
fault(A, "200 with an error", "response_schema_conformance", name_ok=lambda s, r, n: r(n) or _refuse(Answer(400, [])))
fault(A, "401 for a malformed body", "negative_data_rejection", parse=lambda s, r, b: _or(lambda: r(b), 401))
fault(A, "503 occasionally", "not_a_server_error", finish=every(40, put(status=503)))
fault(A, "valid requests are rejected occasionally", "positive_data_acceptance", accepted=lambda s, r, j: r(j) if len(s.jobs) % 25 else s.refused(None, 400, "DBS.1", "?"))
fault(A, "redirect", "status_code_conformance", accepted=lambda s, r, j: Answer(307, None, {"Location": "https://elsewhere.invalid/"}))
fault(A, "GET is accepted for pause and resume", "unsupported_method", route=lambda s, r, c: (setattr(c, "method", "POST" if c.path.endswith(("pause", "resume")) else c.method), c.body or setattr(c, "body", json.dumps({"task_name": TASK}).encode()), c.headers.setdefault("Content-Type", "application/json"), r(c))[3])
fault(A, "PUT is accepted instead of POST", "unsupported_method", route=lambda s, r, c: (setattr(c, "method", "POST" if c.method == "PUT" else c.method), r(c))[1])
fault(A, "403 for a valid request", "positive_data_acceptance", accepted=lambda s, r, j: s.refused(None, 403, "DBS.1", "?"))

# --- response schema
A = "response schema"
fault(A, "the job ID is a number", "response_schema_conformance", accepted=lambda s, r, j: Answer(200, {"job_id": len(s.jobs)}))
fault(A, "the job ID is null", "response_schema_conformance", accepted=lambda s, r, j: Answer(200, {"job_id": None}))
fault(A, "the job ID is empty", "job_has_id", accepted=lambda s, r, j: Answer(200, {"job_id": ""}))
fault(A, "the job ID is missing", "job_has_id", accepted=lambda s, r, j: Answer(200, {}))
fault(A, "the job ID has another name", "job_has_id", accepted=lambda s, r, j: Answer(200, {"jobId": j}))
fault(A, "the body is a list instead of an object", "response_schema_conformance", accepted=lambda s, r, j: Answer(200, [{"job_id": j}]))
fault(A, "the body is empty", "response_schema_conformance", accepted=lambda s, r, j: Answer(200))
fault(A, "the body is truncated", "response_schema_conformance", accepted=lambda s, r, j: Answer(200, raw=b'{"job_id": "'))
fault(A, "the body is in Latin-1", "response_schema_conformance", finish=on(400, put(raw='{"error_code": "é", "error_msg": "é"}'.encode("latin-1"))))
fault(A, "the error code is a number", "response_schema_conformance", finish=on(400, document(lambda d: {**d, "error_code": 400})))
fault(A, "errors have other fields", "response_schema_conformance", finish=on(400, document(lambda d: {"detail": "bad"})))
fault(A, "errors have no message", "response_schema_conformance", finish=on(400, document(lambda d: {"error_code": d["error_code"]})))
fault(A, "the 401 has the format of another service", "refusal_is_explained", finish=on(401, document(lambda d: {"error": {"code": 401}})))
fault(A, "NaN in a list", "response_schema_conformance", shown=lambda s, r, n, t: {**r(n, t), "percentage": float("nan")})

# --- content type of answers
A = "content type"
fault(A, "200 as text/html", "content_type_conformance", finish=on(200, header("Content-Type", "text/html")))
fault(A, "400 as text/plain", "content_type_conformance", finish=on(400, header("Content-Type", "text/plain; charset=utf-8")))
fault(A, "401 as problem+json", "content_type_conformance", finish=on(401, header("Content-Type", "application/problem+json")))
fault(A, "no Content-Type header", "content_type_conformance", finish=on(200, header("Content-Type", "")))
fault(A, "HTML page for a rejected request", "content_type_conformance", finish=on(400, lambda a: (header("Content-Type", "text/html")(a), put(raw=b"<html>")(a))[1]))
fault(A, "lists as text/json", "content_type_conformance", finish=on(200, header("Content-Type", "text/json"), verbs=ROW))

# --- state across calls
A = "state"
fault(A, "resume of a paused task is rejected", "resume_after_pause", possible=lambda s, r, t, v: v == "pause" or t.stage != "Paused")
fault(A, "resume after pause fails", "not_a_server_error", possible=lambda s, r, t, v: r(t, v) if v == "pause" or t.stage != "Paused" else 1 / 0)
fault(A, "a task can be paused only once", "pause_after_resume", possible=lambda s, r, t, v: v == "resume" or s.memory.setdefault("paused", 0) < 1 or t.stage == "Paused", carry_out=lambda s, r, t, v, i, n: (s.memory.__setitem__("paused", s.memory.get("paused", 0) + (v == "pause")), r(t, v, i, n))[1])
fault(A, "a job ID is used twice", "job_id_is_new", job=lambda s, r: (r(), s.jobs[(len(s.jobs) - 1) // 2])[1])
fault(A, "all jobs have the same ID", "job_id_is_new", job=lambda s, r: (r(), s.jobs[0])[1])
fault(A, "job IDs repeat after seven jobs", "job_id_is_new", job=lambda s, r: (r(), f"job-{len(s.jobs) % 7}")[1])
fault(A, "pause has no effect", "change_takes_effect", carry_out=lambda s, r, t, v, i, n: None if v == "pause" else r(t, v, i, n))
fault(A, "resume has no effect", "change_takes_effect", carry_out=lambda s, r, t, v, i, n: None if v == "resume" else r(t, v, i, n))
fault(A, "pause cancels the task", "change_takes_effect", carry_out=lambda s, r, t, v, i, n: (r(t, v, i, n), v == "pause" and setattr(t, "stage", "Cancelled"))[0])
fault(A, "a second pause resumes the task", "change_takes_effect", carry_out=lambda s, r, t, v, i, n: r(t, "resume" if v == "pause" and t.stage == "Paused" else v, i, n))
fault(A, "pause pauses every task of the instance", "other_tasks_untouched", carry_out=lambda s, r, t, v, i, n: [r(each, v, i, n) for each in s.instances[i].values()])
fault(A, "another task of the instance is paused too", "other_tasks_untouched", carry_out=lambda s, r, t, v, i, n: [r(each, v, i, n) for each in (t, s.instances[i]["daily_sync"])])
fault(A, "a task of another instance changes too", "other_tasks_untouched", carry_out=lambda s, r, t, v, i, n: [r(each, v, i, n) for each in (t, s.instances[OTHER][n])])
fault(A, "the task with the same name in another instance is changed", "change_takes_effect", carry_out=lambda s, r, t, v, i, n: r(s.instances[OTHER][n], v, i, n))
fault(A, "a rejected call with a malformed name pauses the task", "refusal_changes_nothing", name_ok=lambda s, r, n: r(n) or bool(setattr(s.instances[INSTANCE][TASK], "stage", "Paused")))
fault(A, "a rejected call for an unknown instance pauses the task", "refusal_changes_nothing", find=lambda s, r, i: r(i) or setattr(s.instances[INSTANCE][TASK], "stage", "Paused"))
fault(A, "a rejected call with another content type pauses the task", "refusal_changes_nothing", type_ok=lambda s, r, k: r(k) or bool(setattr(s.instances[INSTANCE][TASK], "stage", "Paused")))
fault(A, "a paused task is missing from the list", "task_is_listed", carry_out=lambda s, r, t, v, i, n: (r(t, v, i, n), v == "pause" and s.memory.update(gone=n))[0], page=lambda s, r, rows, l, o: r([row for row in rows if row["task_name"] != s.memory.get("gone")], l, o), task=lambda s, r, t, n: r(t, n))

# --- list
A = "list"
fault(A, "limit is ignored", "pages_fit", page=lambda s, r, rows, l, o: r(rows, 100, o))
fault(A, "offset is ignored", "pages_fit", page=lambda s, r, rows, l, o: r(rows, l, 0))
fault(A, "pages overlap", "pages_fit", page=lambda s, r, rows, l, o: r(rows, l, max(0, o - 1)))
fault(A, "pages with a small limit lack tasks", "pages_fit", page=lambda s, r, rows, l, o: {**r(rows, l, o), "replications": rows[o : o + l][: None if l > 2 else 1 if o < 2 else 0]})
fault(A, "total_count is too large by one", "pages_fit", page=lambda s, r, rows, l, o: {**r(rows, l, o), "total_count": len(rows) + 1})
fault(A, "total_count is a list", "response_schema_conformance", page=lambda s, r, rows, l, o: {**r(rows, l, o), "total_count": [3]})
fault(A, "replications is an object", "response_schema_conformance", page=lambda s, r, rows, l, o: {**r(rows, l, o), "replications": {"0": rows}})
fault(A, "a stage is a number", "response_schema_conformance", shown=lambda s, r, n, t: {**r(n, t), "stage": 3})
fault(A, "a task name is a list", "response_schema_conformance", shown=lambda s, r, n, t: {**r(n, t), "task_name": [n]})
fault(A, "a task is listed twice", "pages_fit", page=lambda s, r, rows, l, o: r([*rows, rows[0]], l, o))
fault(A, "the task is never listed", "task_is_listed", page=lambda s, r, rows, l, o: r([row for row in rows if row["task_name"] != TASK], l, o))
fault(A, "limit=0 is accepted", "negative_data_rejection", limits=lambda s, r, c: (1, 0) if "limit=0" in c.query else r(c))
fault(A, "limit=101 is accepted", "negative_data_rejection", limits=lambda s, r, c: (100, 0) if "limit=101" in c.query else r(c))
fault(A, "a negative offset is accepted", "negative_data_rejection", limits=lambda s, r, c: (100, 0) if "offset=-" in c.query else r(c))
fault(A, "a limit or offset that is not a number is ignored", "negative_data_rejection", limits=lambda s, r, c: _or(lambda: r(c), None))
fault(A, "500 for an offset beyond the end", "not_a_server_error", page=lambda s, r, rows, l, o: (rows[o] if o else 0, r(rows, l, o))[1])
fault(A, "the list is always rejected", "positive_data_acceptance", listed=lambda s, r, c, i: s.refused(c, 400, "DBS.1", "?"))
fault(A, "404 for the list of the tested instance", "positive_data_acceptance", listed=lambda s, r, c, i: Answer(404, {"error_code": "DBS.1", "error_msg": "?"}), settings={"methods": 405}, route=lambda s, r, c: r(c) if not c.path.endswith("_x") else _refuse(Answer(405, None, {"Allow": "POST"})))

# --- leaks
A = "leaks"
fault(A, "a 200 echoes the token", "token_not_echoed", finish=lambda s, r, c, a: (document(lambda d: {**(d or {}), "debug": dict(c.headers)})(a), a)[1] if a.status == 200 else a)
fault(A, "a 401 echoes the rejected token", "token_not_echoed", refused=lambda s, r, c, n, code, m: r(c, n, code, f"{m}: {c.header('x-auth-token')}") if n == 401 else r(c, n, code, m))
fault(A, "a 400 echoes all headers", "token_not_echoed", refused=lambda s, r, c, n, code, m: r(c, n, code, f"{m} {dict(c.headers)}") if c and n == 400 else r(c, n, code, m))
fault(A, "a header echoes the token", "token_not_echoed", finish=lambda s, r, c, a: (header("X-Auth-Token", c.header("x-auth-token") or "")(a), a)[1])
fault(A, "the token is echoed in encoded form", "token_not_echoed", finish=lambda s, r, c, a: (header("X-Debug", __import__("base64").b64encode((c.header("x-auth-token") or "").encode("latin-1")).decode())(a), a)[1])
fault(A, "a 401 reveals the valid token", "token_not_echoed", refused=lambda s, r, c, n, code, m: r(c, n, code, f"expected {TOKEN}" if n == 401 else m))
fault(A, "a 404 echoes the token", "token_not_echoed", finish=lambda s, r, c, a: (document(lambda d: {**(d or {}), "headers": dict(c.headers)})(a), a)[1] if a.status == 404 else a)
fault(A, "a traceback in the body", "internals_not_leaked", refused=lambda s, r, c, n, code, m: r(c, n, code, 'Traceback (most recent call last):\n  File "/srv/app.py", line 3'))
fault(A, "the name of an exception in the message", "internals_not_leaked", refused=lambda s, r, c, n, code, m: r(c, n, code, "KeyError: 'task_name'") if n == 400 else r(c, n, code, m))
fault(A, "a Java stack trace in the message", "internals_not_leaked", refused=lambda s, r, c, n, code, m: r(c, n, code, "at com.vendor.Htap.pause(Htap.java:42)") if n == 400 else r(c, n, code, m))
fault(A, "an SQL query in the message", "internals_not_leaked", refused=lambda s, r, c, n, code, m: r(c, n, code, "SELECT id FROM task WHERE name = ?") if code == "DBS.05000091" else r(c, n, code, m))
fault(A, "an exception in the message for a lone surrogate", "internals_not_leaked", name_ok=lambda s, r, n: r(n) if not isinstance(n, str) or "\ud800" not in n else _refuse(Answer(400, {"error_code": "DBS.1", "error_msg": "UnicodeEncodeError: surrogates"})))

# --- robustness
A = "robustness"
fault(A, "500 on Unicode in the name", "not_a_server_error", name_ok=crash_if(lambda n: isinstance(n, str) and not n.isascii()))
fault(A, "500 on an emoji in the name", "not_a_server_error", name_ok=crash_if(lambda n: isinstance(n, str) and any(ord(c) > 0xFFFF for c in n)))
fault(A, "500 on a lone surrogate in the name", "not_a_server_error", name_ok=lambda s, r, n: (isinstance(n, str) and n.encode(), r(n))[1])
fault(A, "500 on a NUL in the name", "not_a_server_error", name_ok=crash_if(lambda n: isinstance(n, str) and "\0" in n))
fault(A, "500 on a body that is not UTF-8", "not_a_server_error", parse=lambda s, r, b: r(b) if not _not_utf8(b) else 1 / 0)
fault(A, "500 on a body that is not an object", "not_a_server_error", parse=lambda s, r, b: (d := r(b), dict.keys(d))[0])
fault(A, "500 on an empty body", "not_a_server_error", parse=crash_if(lambda b: not b))
fault(A, "500 on a name that is a number", "not_a_server_error", name_ok=lambda s, r, n: (n is None or len(n), r(n))[1])
fault(A, "500 on a name that is null", "not_a_server_error", name_ok=crash_if(lambda n: n is None))
fault(A, "500 on a long name", "not_a_server_error", name_ok=crash_if(lambda n: isinstance(n, str) and len(n) > 1000))
fault(A, "500 on a token that is not ASCII", "not_a_server_error", proved=crash_if(lambda c: not (c.header("x-auth-token") or "").isascii()))
fault(A, "500 on thousands of properties", "not_a_server_error", parse=lambda s, r, b: d if not isinstance(d := r(b), dict) or len(d) < 1000 else 1 / 0)
fault(A, "500 on a malformed content type", "not_a_server_error", type_ok=lambda s, r, k: r(k) if not k or "/" in k else 1 / 0)
fault(A, "500 on an unknown charset", "not_a_server_error", type_ok=lambda s, r, k: ("".encode((k or "").partition("charset=")[2].strip('"') or "utf-8"), r(k))[1])
fault(A, "500 on a parameter without a value", "not_a_server_error", limits=lambda s, r, c: r(c) if "limit=&" not in c.query + "&" else 1 / 0)
fault(A, "500 on a huge limit", "not_a_server_error", limits=lambda s, r, c: r(c) if "9999999999" not in c.query else 1 / 0)
fault(A, "500 on percent signs in the path", "not_a_server_error", route=crash_if(lambda c: "%25" in c.path))
fault(A, "500 on an unknown method", "not_a_server_error", route=crash_if(lambda c: c.method == "PATCH"))
fault(A, "the connection is closed on malformed JSON", "answers", parse=lambda s, r, b: _or_drop(lambda: r(b)))
fault(A, "the connection is closed occasionally", "answers", finish=every(50, put(drop=True)))
fault(A, "500 on additional properties that are not ASCII", "not_a_server_error", parse=crash_if(lambda b: not b.isascii() and not _not_utf8(b)))

# --- slowness
A = "slowness"
fault(A, "every response is slow", "response_time", settings={"lag": 0.5})
fault(A, "resume is slow", "response_time", finish=lambda s, r, c, a: (c.path.endswith("resume") and time.sleep(0.5), a)[1])
fault(A, "rejections are slow", "response_time", finish=lambda s, r, c, a: (a.status == 401 and time.sleep(0.5), a)[1])
fault(A, "one response in thirty is slow", "response_time", finish=lambda s, r, c, a: (c.number % 30 == 0 and time.sleep(0.5), a)[1])
fault(A, "rejections of long names are slow", "response_time", name_ok=lambda s, r, n: (isinstance(n, str) and len(n) > 1000 and time.sleep(0.5), r(n))[1])

# --- names and identifiers that are another's
A = "body rules"
fault(A, "case is ignored when names are compared", "unknown_is_refused", task=lambda s, r, t, n: next((v for k, v in t.items() if k.lower() == n.lower()), None))
fault(A, "an underscore in a name matches any character", "unknown_is_refused", task=lambda s, r, t, n: r(t, n) or next((v for k, v in t.items() if re.fullmatch(n.replace("_", "."), k)), None))
fault(A, "a prefix of a name is accepted", "unknown_is_refused", task=lambda s, r, t, n: next((v for k, v in t.items() if k.startswith(n)), None))
fault(A, "a suffix of a name is accepted", "unknown_is_refused", task=lambda s, r, t, n: next((v for k, v in t.items() if k.endswith(n)), None))
fault(A, "white space in a name is removed", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and r(re.sub(r"\s", "", n)), task=lambda s, r, t, n: r(t, re.sub(r"\s", "", n)))
A = "path rules"
fault(A, "case is ignored when instance IDs are compared", "unknown_is_refused", find=lambda s, r, i: r(i[:32].lower() + i[32:]))
fault(A, "case is ignored when project IDs are compared", "unknown_is_refused", project_ok=lambda s, r, p: r(p.lower()))
fault(A, "an encoded question mark starts a query", "path_is_exact", route=lambda s, r, c: (setattr(c, "path", c.path.partition("%3F")[0]), r(c))[1], warning=True)

# --- what a server does over time
A = "consistency"
fault(A, "a pause is undone after a while", "change_lasts", carry_out=lambda s, r, t, v, i, n: (r(t, v, i, n), v == "pause" and _undo_later(s, t, "Paused", "Incremental"))[0])
fault(A, "a resume is undone after a while", "change_lasts", carry_out=lambda s, r, t, v, i, n: (r(t, v, i, n), v == "resume" and _undo_later(s, t, "Incremental", "Paused"))[0])
fault(A, "frequent list calls end a pause", "change_lasts", carry_out=lambda s, r, t, v, i, n: (s.memory.update(reads=0), r(t, v, i, n))[1], listed=lambda s, r, c, i: (s.memory.update(reads=s.memory.get("reads", 0) + 1), s.memory["reads"] > 6 and setattr(s.instances[INSTANCE][TASK], "stage", "Incremental"), r(c, i))[2])
fault(A, "a rejected request ends a pause", "refusal_changes_nothing", refused=lambda s, r, c, n, code, m: (setattr(s.instances[INSTANCE][TASK], "stage", "Incremental"), r(c, n, code, m))[1])
fault(A, "DELETE returns 405 but cancels the task", "refusal_changes_nothing", route=lambda s, r, c: (c.method == "DELETE" and setattr(s.instances[INSTANCE][TASK], "stage", "Cancelled"), r(c))[1])
fault(A, "HEAD returns 405 but pauses the task", "refusal_changes_nothing", route=lambda s, r, c: (c.method == "HEAD" and c.path.endswith("pause") and setattr(s.instances[INSTANCE][TASK], "stage", "Paused"), r(c))[1])
fault(A, "OPTIONS returns 204 and pauses the task", "refusal_changes_nothing", route=lambda s, r, c: r(c) if c.method != "OPTIONS" else (c.path.endswith("pause") and setattr(s.instances[INSTANCE][TASK], "stage", "Paused"), _refuse(Answer(204)))[1])
fault(A, "the list with X-Language zh-cn is out of date", "same_for_all_readers", listed=lambda s, r, c, i: _never_paused(r(c, i)) if c.header("x-language") == "zh-cn" else r(c, i))
fault(A, "the list without query parameters is out of date", "same_for_all_readers", listed=lambda s, r, c, i: r(c, i) if c.query else _never_paused(r(c, i)))
fault(A, "total_count is the number of tasks in the page", "pages_fit", page=lambda s, r, rows, l, o: {**r(rows, l, o), "total_count": len(rows[o : o + l])})
fault(A, "total_count is the number of remaining tasks", "pages_fit", page=lambda s, r, rows, l, o: {**r(rows, l, o), "total_count": max(0, len(rows) - o)})
fault(A, "every seventh request on a connection fails", "connection_is_reusable", finish=lambda s, r, c, a: (c.nth % 7 == 0 and put(status=500)(a), a)[1])
fault(A, "authentication is cached for the connection", "ignored_auth", proved=lambda s, r, c: c.session.setdefault("in", r(c)) or r(c))
fault(A, "a rejection is followed by a stray response", "connection_is_reusable", finish=on(400, put(stray=b"HTTP/1.1 200 OK\r\n\r\n")))
fault(A, "the tenth call for an unknown task is accepted", "unknown_is_refused", task=lambda s, r, t, n: r(t, n) or (t[TASK] if _count(s, n) % 10 == 0 else None))
fault(A, "the ninth rejection of the same request differs", "same_every_time", finish=lambda s, r, c, a: (a.status == 400 and _count(s, (c.path, c.query, c.body)) > 8 and "no_such" in c.body.decode("latin-1") and put(status=403)(a), a)[1])
fault(A, "every ninth invalid token is accepted", "ignored_auth", proved=lambda s, r, c: r(c) or _count(s, "wrong") % 9 == 0)

# --- requests at the same time
A = "concurrency"
fault(A, "concurrent requests get a 500", "at_once", finish=lambda s, r, c, a: (c.others > 0 and put(status=500)(a), a)[1], settings={"lag": 0.005})
fault(A, "concurrent requests get no response", "answers", finish=lambda s, r, c, a: (c.others > 0 and put(drop=True)(a), a)[1], settings={"lag": 0.005})
fault(A, "concurrent requests are not authenticated", "ignored_auth", proved=lambda s, r, c: r(c) or c.others > 0, settings={"lag": 0.005})
fault(A, "concurrent requests get the same request ID", "request_id", finish=lambda s, r, c, a: (c.others > 0 and header("X-Request-Id", "busy")(a), a)[1], settings={"lag": 0.005})
fault(A, "concurrent requests are rejected", "at_once", finish=lambda s, r, c, a: (c.others > 0 and a.status == 200 and (put(status=400)(a), put(document={"error_code": "DBS.1", "error_msg": "busy"})(a)), a)[1], settings={"lag": 0.005})

# --- headers and queries that change what a request means
A = "overrides"
fault(A, "X-HTTP-Method-Override changes the method", "headers_keep_meaning", route=lambda s, r, c: (setattr(c, "method", c.header("x-http-method-override") or c.method), r(c))[1])
fault(A, "X-Method-Override changes the method", "headers_keep_meaning", route=lambda s, r, c: (setattr(c, "method", c.header("x-method-override") or c.method), r(c))[1])
fault(A, "_method in the query changes the method", "headers_keep_meaning", route=lambda s, r, c: (setattr(c, "method", "POST" if "_method=POST" in c.query else c.method), r(c))[1])
fault(A, "X-Original-URL changes the path", "headers_keep_meaning", route=lambda s, r, c: (setattr(c, "path", c.header("x-original-url") if c.header("x-original-url") not in (None, "/") else c.path), r(c))[1])
fault(A, "task_name in the query overrides the body", "unknown_is_refused", task_name=lambda s, r, c: m[1] if (m := re.search(r"task_name=(\w+)", c.query)) else r(c))
fault(A, "X-Task-Name overrides the body", "unknown_is_refused", task_name=lambda s, r, c: c.header("x-task-name") or r(c))
fault(A, "X-Forwarded-For 127.0.0.1 replaces a token", "ignored_auth", proved=lambda s, r, c: r(c) or c.header("x-forwarded-for") == "127.0.0.1")
fault(A, "X-Forwarded-User replaces a token", "ignored_auth", proved=lambda s, r, c: r(c) or c.header("x-forwarded-user") is not None)
fault(A, "Accept: text/html changes the content type", "content_type_conformance", finish=lambda s, r, c, a: ("html" in (c.header("accept") or "") and header("Content-Type", "text/html")(a), a)[1])

# --- what frameworks do by themselves
A = "frameworks"
fault(A, "405 without Allow", "allow_header_conformance", finish=on(405, header("Allow", "")), warning=True)
fault(A, "an encoded slash is decoded before routing", "path_is_exact", route=lambda s, r, c: (setattr(c, "path", c.path.replace("%2F", "/")), r(c))[1], warning=True)
fault(A, "a trailing slash in the path is accepted", "path_is_exact", route=lambda s, r, c: (setattr(c, "path", c.path.rstrip("/")), r(c))[1], warning=True)
fault(A, "a trailing newline in the path is accepted", "path_is_exact", route=lambda s, r, c: (setattr(c, "path", c.path.removesuffix("%0A")), r(c))[1], warning=True)
fault(A, "case is ignored when paths are compared", "path_is_exact", route=lambda s, r, c: (setattr(c, "path", c.path.replace("/Instances/", "/instances/")), r(c))[1], warning=True)
fault(A, "JSON in UTF-16 is accepted", "negative_data_rejection", parse=lambda s, r, b: json.loads(b), warning=True)
fault(A, "500 on deeply nested JSON", "not_a_server_error", parse=crash_if(lambda b: _depth(b) > 500), warning=True)
fault(A, "lowercase methods are accepted", "unsupported_method", route=lambda s, r, c: (setattr(c, "method", c.method.upper()), r(c))[1], warning=True)

# --- what cannot be found
fault("body rules", "names of 3 characters are rejected", None, name_ok=lambda s, r, n: r(n) and len(n) > 3, why="The suite does not know a task with such a name, and a 400 is also correct if there is none.")
fault("body rules", "names of 128 characters are rejected", None, name_ok=lambda s, r, n: r(n) and len(n) < 128, why="The suite does not know a task with such a name, and a 400 is also correct if there is none.")
fault("body rules", "names of 2 characters are valid", None, name_ok=lambda s, r, n: isinstance(n, str) and bool(re.fullmatch(r"[A-Za-z0-9_]{2,128}", n)), why="No task has such a name, so the response is a 400 in either case.")
fault("authentication", "an expired token is accepted", None, proved=lambda s, r, c: r(c) or c.header("x-auth-token") == "expired-long-ago", why="The suite has only one token, and it is valid.")
fault("authentication", "a second secret token is accepted", None, proved=lambda s, r, c: r(c) or c.header("x-auth-token") == "back-door-7d1f", why="The suite would have to guess the token.")
fault("state", "a task of an unknown instance changes too", None, carry_out=lambda s, r, t, v, i, n: [r(each, v, i, n) for each in (t, s.instances[OTHER]["other_sync"])], settings={"others": True}, why="The suite can only check instances whose IDs it knows. Set TAURUSDB_FUZZ_OTHER_INSTANCE_ID to have one checked.")
fault("content type", "X-Language is ignored", None, finish=on(400, document(lambda d: {**d, "error_msg": "Error."})), why="Huawei Cloud does not document the messages in each language.")
fault("slowness", "a single slow response", None, finish=lambda s, r, c, a: (c.number == 60 and time.sleep(0.5), a)[1], why="A request that is slow once, but not when it is repeated, may be slow because of the machine that runs the suite.")

# fmt: on


def _undo_later(service: Service, task: Task, now: str, then: str) -> None:
    """A stage that is another 0.3 s after it was seen first."""

    def shown(name: str, shown: Task) -> Any:
        if shown is task and shown.due == float("inf"):
            shown.due = time.monotonic() + 0.3
        return Service.shown(service, name, shown)

    task.before, task.stage, task.due = now, then, float("inf")
    service.shown = shown  # type: ignore[method-assign] # that is the purpose


def _never_paused(answer: Answer) -> Answer:
    for row in answer.document.get("replications", []):
        row["stage"] = "Incremental"
    return answer


def _count(service: Service, what: Any) -> int:
    service.memory[what] = service.memory.get(what, 0) + 1
    return int(service.memory[what])


def _refuse(answer: Answer) -> Any:
    raise Refused(answer)


def _or(right: Callable[[], Any], status: int | None) -> Any:
    """The right thing, or a refusal with a status where it would be 400; or a page like any."""
    try:
        return right()
    except (ValueError, RecursionError):
        if status is None:
            return 100, 0
        raise Refused(Answer(status, {"error_code": "DBS.1", "error_msg": "?"})) from None


def _or_drop(right: Callable[[], Any]) -> Any:
    try:
        return right()
    except (ValueError, RecursionError):
        raise Refused(Answer(400, drop=True)) from None


def _not_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return True
    return False


def _way_up(path: str) -> str:
    while (shorter := re.sub(r"/[^/]+/\.\.(?=/)", "", path, count=1)) != path:
        path = shorter
    return path


__all__ = ["AREAS", "FAULTS", "PROJECT", "Fault"]
