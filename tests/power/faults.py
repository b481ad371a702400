"""The table of faults: what is wrong with a server, and the check that must find it.

A fault replaces steps of `server.Service`. A replacement gets the service, the step as it is right,
and the step's arguments. To add a fault, add a line.
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
    "over time",
    "at once",
    "other meanings",
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
fault(A, "no token is needed", "ignored_auth", proved=lambda s, r, c: True)
fault(A, "any token will do", "ignored_auth", proved=lambda s, r, c: bool(c.header("x-auth-token")))
fault(A, "an empty token will do", "ignored_auth", proved=lambda s, r, c: c.header("x-auth-token") in (TOKEN, ""))
fault(A, "the beginning of the token will do", "ignored_auth", proved=lambda s, r, c: bool(t := c.header("x-auth-token")) and TOKEN.startswith(t))
fault(A, "the token may have an end of its own", "ignored_auth", proved=lambda s, r, c: (c.header("x-auth-token") or "").startswith(TOKEN))
fault(A, "capitals do not matter in the token", "ignored_auth", proved=lambda s, r, c: (c.header("x-auth-token") or "").lower() == TOKEN.lower())
fault(A, "any Authorization will do", "ignored_auth", proved=lambda s, r, c: r(c) or c.header("authorization") is not None)
fault(A, "any signature will do", "ignored_auth", proved=lambda s, r, c: r(c) or "Signature=" in (c.header("authorization") or ""))
fault(A, "a token in the query will do", "ignored_auth", proved=lambda s, r, c: r(c) or TOKEN in c.query)
fault(A, "bearer may stand before the token", "ignored_auth", proved=lambda s, r, c: (c.header("x-auth-token") or "").removeprefix("Bearer ") == TOKEN)
fault(A, "resume needs no token", "ignored_auth", proved=lambda s, r, c: r(c) or c.path.endswith("resume"))
fault(A, "the list needs no token", "ignored_auth", proved=lambda s, r, c: r(c) or c.method == "GET")
fault(A, "a missing token is a bad request", "ignored_auth", finish=on(401, put(status=400)))
fault(A, "a missing token is a failure", "not_a_server_error", proved=lambda s, r, c: c.headers["X-Auth-Token"] == TOKEN or r(c))
fault(A, "the token works for other projects", "unknown_is_refused", project_ok=lambda s, r, p: True)
fault(A, "a refused caller's pause is carried out", "refusal_changes_nothing", proved=lambda s, r, c: r(c) or bool(c.path.endswith("pause") and setattr(s.instances[INSTANCE][TASK], "stage", "Paused")))

# --- headers
A = "headers"
fault(A, "no X-Request-Id on 200", "request_id", finish=on(200, header("X-Request-Id", "")))
fault(A, "no X-Request-Id on 400", "request_id", finish=on(400, header("X-Request-Id", "")))
fault(A, "no X-Request-Id on 401", "request_id", finish=on(401, header("X-Request-Id", "")))
fault(A, "no X-Request-Id on lists", "request_id", finish=on(200, header("X-Request-Id", ""), verbs=ROW))
fault(A, "one X-Request-Id for all", "request_id", finish=on(None, header("X-Request-Id", "1f3c5a7e9b0d4c6f8a2e4d6b8c0f1a3e")))
fault(A, "the body has another request ID", "request_id", finish=on(401, document(lambda d: {**d, "request_id": uuid4().hex})))
fault(A, "any language will do", "negative_data_rejection", language_ok=lambda s, r, v: True)
fault(A, "Chinese is refused", "positive_data_acceptance", language_ok=lambda s, r, v: v in (None, "en-us"))
fault(A, "a language is needed", "positive_data_acceptance", language_ok=lambda s, r, v: v is not None and r(v))
fault(A, "header names with capitals are needed", "positive_data_acceptance", proved=lambda s, r, c: c.headers.get("X-Auth-Token") == TOKEN)

# --- body rules
A = "body rules"
fault(A, "a dash in the name is dropped", "invalid_accepted", name_ok=lambda s, r, n: True, task=lambda s, r, t, n: r(t, n.replace("-", "")))
fault(A, "a final line break is let through", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and bool(re.match(r"^[A-Za-z0-9_]{3,128}$", n)), task=lambda s, r, t, n: r(t, n.strip()))
fault(A, "names are trimmed first", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and r(n.strip()), task=lambda s, r, t, n: r(t, n.strip()))
fault(A, "names are folded by Unicode first", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and r(unicodedata.normalize("NFKC", n)), task=lambda s, r, t, n: r(t, unicodedata.normalize("NFKC", n)))
fault(A, "names end at a NUL", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and r(n.split("\0")[0]), task=lambda s, r, t, n: r(t, n.split("\0")[0]))
fault(A, "names are made text first", "invalid_accepted", name_ok=lambda s, r, n: r(str(n)) or isinstance(n, (int, list)), task=lambda s, r, t, n: t[TASK] if n == "1234" else r(t, n))
fault(A, "Unicode letters and digits are let through", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and bool(re.fullmatch(r"\w{3,128}", n)), task=lambda s, r, t, n: t[TASK] if not n.isascii() else r(t, n))
fault(A, "two characters are enough for any task", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and bool(re.fullmatch(r"[A-Za-z0-9_]{2,128}", n)), task=lambda s, r, t, n: t[TASK] if len(n) < 3 else r(t, n))
fault(A, "names are cut to 128 characters", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and r(n[:128]), task=lambda s, r, t, n: t[TASK] if len(n) > 128 else r(t, n))
fault(A, "any task will do", "unknown_is_refused", task=lambda s, r, t, n: t[TASK])
fault(A, "a new name makes a new task", "unknown_is_refused", task=lambda s, r, t, n: t.setdefault(n, Task()))
fault(A, "a list of names is taken", "invalid_accepted", name_ok=lambda s, r, n: r(n[0] if isinstance(n, list) and n else n), task=lambda s, r, t, n: r(t, n.strip("[]'")))
fault(A, "the task name is not needed", "negative_data_rejection", parse=lambda s, r, b: {"task_name": TASK, **(d if isinstance(d := r(b), dict) else {})})
fault(A, "the key may be in camel case", "negative_data_rejection", parse=lambda s, r, b: {**d, "task_name": d.get("task_name", d.get("taskName"))} if isinstance(d := r(b), dict) else d)
fault(A, "an empty body means the last task", "negative_data_rejection", parse=lambda s, r, b: r(b) if b else {"task_name": TASK})
fault(A, "what follows the object is ignored", "negative_data_rejection", parse=lambda s, r, b: json.JSONDecoder().raw_decode(b.decode().lstrip())[0])
fault(A, "the object may stand in a list", "negative_data_rejection", parse=lambda s, r, b: d[0] if isinstance(d := r(b), list) and d else d)
fault(A, "single quotes will do", "negative_data_rejection", parse=lambda s, r, b: r(b.replace(b"'", b'"')))
fault(A, "further properties are refused", "positive_data_acceptance", parse=lambda s, r, b: {} if isinstance(d := r(b), dict) and len(d) > 1 else d)
fault(A, "bytes that are not UTF-8 are dropped", "negative_data_rejection", parse=lambda s, r, b: r(b.decode("utf-8", "ignore").encode()))
fault(A, "escapes are not understood", "positive_data_acceptance", parse=lambda s, r, b: {} if b"\\u" in b else r(b))

# --- content type of requests
fault(A, "any content type will do", "content_type_is_checked", type_ok=lambda s, r, k: True)
fault(A, "plain text will do", "content_type_is_checked", type_ok=lambda s, r, k: r(k) or (k or "").startswith("text/plain"))
fault(A, "forms are taken", "content_type_is_checked", type_ok=lambda s, r, k: (s.memory.update(kind=k or ""), r(k) or "form" in (k or ""))[1], parse=lambda s, r, b: {"task_name": TASK} if "form" in s.memory["kind"] and TASK.encode() in b else r(b))
fault(A, "a type that only contains JSON will do", "content_type_is_checked", type_ok=lambda s, r, k: "application/json" in (k or ""))
fault(A, "a charset is refused", "positive_data_acceptance", type_ok=lambda s, r, k: k == "application/json")

# --- path rules
A = "path rules"
fault(A, "any instance will do", "unknown_is_refused", find=lambda s, r, i: s.instances.get(i, s.instances[INSTANCE]))
fault(A, "instances are looked up by their first characters", "unknown_is_refused", find=lambda s, r, i: next((t for k, t in s.instances.items() if k[:32] == i[:32]), None))
fault(A, "an instance ID may end in a line break", "invalid_accepted", identifier_ok=lambda s, r, p, v: bool(re.match(f"^{p}$", v)), find=lambda s, r, i: r(i.strip()), project_ok=lambda s, r, p: r(p.strip()))
fault(A, "a project ID may end in a line break", "invalid_accepted", identifier_ok=lambda s, r, p, v: bool(re.match(f"^{p}$", v)), project_ok=lambda s, r, p: r(p.strip()))
fault(A, "identifiers are trimmed", "invalid_accepted", identifier_ok=lambda s, r, p, v: r(p, v.strip()), find=lambda s, r, i: r(i.strip()), project_ok=lambda s, r, p: r(p.strip()))
fault(A, "hyphens in an instance ID are dropped", "invalid_accepted", identifier_ok=lambda s, r, p, v: r(p, v.replace("-", "")), find=lambda s, r, i: r(i.replace("-", "")))
fault(A, "instance IDs are not checked", "invalid_accepted", identifier_ok=lambda s, r, p, v: True, find=lambda s, r, i: s.instances.get(i, s.instances[INSTANCE] if not re.fullmatch("[0-9A-Za-z]{36}", i) else None))
fault(A, "capitals do not matter in an instance ID", "invalid_accepted", identifier_ok=lambda s, r, p, v: r(p, v) or r(p, v.lower()), find=lambda s, r, i: r(i.lower()))
fault(A, "an encoded slash is a slash", "invalid_accepted", route=lambda s, r, c: (setattr(c, "path", _way_up(c.path.replace("%2F", "/"))), r(c))[1])
fault(A, "an unknown instance has an empty list", "unknown_is_refused", find=lambda s, r, i: r(i) if i in s.instances else ({} if s.memory.get("get") else None), listed=lambda s, r, c, i: (s.memory.update(get=True), r(c, i), s.memory.update(get=False))[1])
fault(A, "neighbouring paths lead to the operation", "path_is_exact", route=lambda s, r, c: (setattr(c, "path", re.sub(r"(pause|resume)\w$", r"\1", c.path)), r(c))[1])

# --- status codes
A = "status codes"
fault(A, "201 for an accepted change", "status_code_conformance", accepted=lambda s, r, j: Answer(201, {"job_id": j}))
fault(A, "202 for an accepted resume", "status_code_conformance", finish=on(200, put(status=202), verbs="resume$"))
fault(A, "204 without a body", "status_code_conformance", accepted=lambda s, r, j: Answer(204))
fault(A, "404 for an unknown instance", "status_code_conformance", change=lambda s, r, c, v, i: r(c, v, i) if i in s.instances else s.refused(c, 404, "DBS.200022", "Instance not found."))
fault(A, "404 for an unknown task", "status_code_conformance", task=lambda s, r, t, n: t.get(n) or _refuse(Answer(404, {"error_code": "DBS.1", "error_msg": "?"})))
fault(A, "409 for a repeated pause", "status_code_conformance", settings={"strict": True}, possible=lambda s, r, t, v: r(t, v) or _refuse(Answer(409, {"error_code": "DBS.1", "error_msg": "?"})))
fault(A, "422 for a malformed name", "status_code_conformance", name_ok=lambda s, r, n: r(n) or _refuse(Answer(422, {"error_code": "DBS.1", "error_msg": "?"})))
fault(A, "422 for a bad limit", "status_code_conformance", limits=lambda s, r, c: _or(lambda: r(c), 422))
fault(A, "500 for an unknown task", "not_a_server_error", task=lambda s, r, t, n: t[n])
fault(A, "500 for an unknown instance", "not_a_server_error", find=lambda s, r, i: s.instances[i])
fault(A, "200 that says it is an error", "response_schema_conformance", name_ok=lambda s, r, n: r(n) or _refuse(Answer(400, [])))
fault(A, "401 for a malformed body", "negative_data_rejection", parse=lambda s, r, b: _or(lambda: r(b), 401))
fault(A, "503 now and then", "not_a_server_error", finish=every(40, put(status=503)))
fault(A, "right requests are refused now and then", "positive_data_acceptance", accepted=lambda s, r, j: r(j) if len(s.jobs) % 25 else s.refused(None, 400, "DBS.1", "?"))
fault(A, "a redirect", "status_code_conformance", accepted=lambda s, r, j: Answer(307, None, {"Location": "https://elsewhere.invalid/"}))
fault(A, "GET pauses", "unsupported_method", route=lambda s, r, c: (setattr(c, "method", "POST" if c.path.endswith(("pause", "resume")) else c.method), c.body or setattr(c, "body", json.dumps({"task_name": TASK}).encode()), c.headers.setdefault("Content-Type", "application/json"), r(c))[3])
fault(A, "PUT will do for POST", "unsupported_method", route=lambda s, r, c: (setattr(c, "method", "POST" if c.method == "PUT" else c.method), r(c))[1])
fault(A, "403 where all is right", "positive_data_acceptance", accepted=lambda s, r, j: s.refused(None, 403, "DBS.1", "?"))

# --- response schema
A = "response schema"
fault(A, "the job ID is a number", "response_schema_conformance", accepted=lambda s, r, j: Answer(200, {"job_id": len(s.jobs)}))
fault(A, "the job ID is null", "response_schema_conformance", accepted=lambda s, r, j: Answer(200, {"job_id": None}))
fault(A, "the job ID is empty", "job_has_id", accepted=lambda s, r, j: Answer(200, {"job_id": ""}))
fault(A, "there is no job ID", "job_has_id", accepted=lambda s, r, j: Answer(200, {}))
fault(A, "the job ID has another name", "job_has_id", accepted=lambda s, r, j: Answer(200, {"jobId": j}))
fault(A, "a list instead of an object", "response_schema_conformance", accepted=lambda s, r, j: Answer(200, [{"job_id": j}]))
fault(A, "an empty body", "response_schema_conformance", accepted=lambda s, r, j: Answer(200))
fault(A, "half of a body", "response_schema_conformance", accepted=lambda s, r, j: Answer(200, raw=b'{"job_id": "'))
fault(A, "a body in Latin-1", "response_schema_conformance", finish=on(400, put(raw='{"error_code": "é", "error_msg": "é"}'.encode("latin-1"))))
fault(A, "the error code is a number", "response_schema_conformance", finish=on(400, document(lambda d: {**d, "error_code": 400})))
fault(A, "errors have another shape", "response_schema_conformance", finish=on(400, document(lambda d: {"detail": "bad"})))
fault(A, "errors have no text", "response_schema_conformance", finish=on(400, document(lambda d: {"error_code": d["error_code"]})))
fault(A, "the 401 has the shape of another service", "refusal_is_explained", finish=on(401, document(lambda d: {"error": {"code": 401}})))
fault(A, "NaN in a list", "response_schema_conformance", shown=lambda s, r, n, t: {**r(n, t), "percentage": float("nan")})

# --- content type of answers
A = "content type"
fault(A, "200 as text/html", "content_type_conformance", finish=on(200, header("Content-Type", "text/html")))
fault(A, "400 as text/plain", "content_type_conformance", finish=on(400, header("Content-Type", "text/plain; charset=utf-8")))
fault(A, "401 as problem+json", "content_type_conformance", finish=on(401, header("Content-Type", "application/problem+json")))
fault(A, "no content type", "content_type_conformance", finish=on(200, header("Content-Type", "")))
fault(A, "an HTML page for a refusal", "content_type_conformance", finish=on(400, lambda a: (header("Content-Type", "text/html")(a), put(raw=b"<html>")(a))[1]))
fault(A, "lists as text/json", "content_type_conformance", finish=on(200, header("Content-Type", "text/json"), verbs=ROW))

# --- state across calls
A = "state"
fault(A, "a paused task cannot be resumed", "resume_after_pause", possible=lambda s, r, t, v: v == "pause" or t.stage != "Paused")
fault(A, "resume after pause fails", "not_a_server_error", possible=lambda s, r, t, v: r(t, v) if v == "pause" or t.stage != "Paused" else 1 / 0)
fault(A, "a task can be paused only once", "pause_after_resume", possible=lambda s, r, t, v: v == "resume" or s.memory.setdefault("paused", 0) < 1 or t.stage == "Paused", carry_out=lambda s, r, t, v, i, n: (s.memory.__setitem__("paused", s.memory.get("paused", 0) + (v == "pause")), r(t, v, i, n))[1])
fault(A, "a job ID is given twice", "job_id_is_new", job=lambda s, r: (r(), s.jobs[(len(s.jobs) - 1) // 2])[1])
fault(A, "all jobs have one ID", "job_id_is_new", job=lambda s, r: (r(), s.jobs[0])[1])
fault(A, "pause and resume share their job IDs", "job_id_is_new", job=lambda s, r: (r(), f"job-{len(s.jobs) % 7}")[1])
fault(A, "pause does nothing", "change_takes_effect", carry_out=lambda s, r, t, v, i, n: None if v == "pause" else r(t, v, i, n))
fault(A, "resume does nothing", "change_takes_effect", carry_out=lambda s, r, t, v, i, n: None if v == "resume" else r(t, v, i, n))
fault(A, "pause cancels", "change_takes_effect", carry_out=lambda s, r, t, v, i, n: (r(t, v, i, n), v == "pause" and setattr(t, "stage", "Cancelled"))[0])
fault(A, "a second pause resumes", "change_takes_effect", carry_out=lambda s, r, t, v, i, n: r(t, "resume" if v == "pause" and t.stage == "Paused" else v, i, n))
fault(A, "pause stops every task of the instance", "other_tasks_untouched", carry_out=lambda s, r, t, v, i, n: [r(each, v, i, n) for each in s.instances[i].values()])
fault(A, "a neighbouring task is paused too", "other_tasks_untouched", carry_out=lambda s, r, t, v, i, n: [r(each, v, i, n) for each in (t, s.instances[i]["daily_sync"])])
fault(A, "a task of another instance changes", "other_tasks_untouched", carry_out=lambda s, r, t, v, i, n: [r(each, v, i, n) for each in (t, s.instances[OTHER][n])])
fault(A, "a task of the same name in another instance is meant", "change_takes_effect", carry_out=lambda s, r, t, v, i, n: r(s.instances[OTHER][n], v, i, n))
fault(A, "a call with a malformed name pauses all the same", "refusal_changes_nothing", name_ok=lambda s, r, n: r(n) or bool(setattr(s.instances[INSTANCE][TASK], "stage", "Paused")))
fault(A, "a call for an unknown instance pauses all the same", "refusal_changes_nothing", find=lambda s, r, i: r(i) or setattr(s.instances[INSTANCE][TASK], "stage", "Paused"))
fault(A, "a call with another content type pauses all the same", "refusal_changes_nothing", type_ok=lambda s, r, k: r(k) or bool(setattr(s.instances[INSTANCE][TASK], "stage", "Paused")))
fault(A, "a pause makes the task vanish", "task_is_listed", carry_out=lambda s, r, t, v, i, n: (r(t, v, i, n), v == "pause" and s.memory.update(gone=n))[0], page=lambda s, r, rows, l, o: r([row for row in rows if row["task_name"] != s.memory.get("gone")], l, o), task=lambda s, r, t, n: r(t, n))

# --- list
A = "list"
fault(A, "limit is ignored", "pages_fit", page=lambda s, r, rows, l, o: r(rows, 100, o))
fault(A, "offset is ignored", "pages_fit", page=lambda s, r, rows, l, o: r(rows, l, 0))
fault(A, "pages overlap", "pages_fit", page=lambda s, r, rows, l, o: r(rows, l, max(0, o - 1)))
fault(A, "the last page is cut off", "pages_fit", page=lambda s, r, rows, l, o: {**r(rows, l, o), "replications": rows[o : o + l][: None if l > 2 else 1 if o < 2 else 0]})
fault(A, "total_count is that of the page", "pages_fit", page=lambda s, r, rows, l, o: {**r(rows, l, o), "total_count": len(rows) + 1})
fault(A, "total_count is a list", "response_schema_conformance", page=lambda s, r, rows, l, o: {**r(rows, l, o), "total_count": [3]})
fault(A, "replications is an object", "response_schema_conformance", page=lambda s, r, rows, l, o: {**r(rows, l, o), "replications": {"0": rows}})
fault(A, "a stage is a number", "response_schema_conformance", shown=lambda s, r, n, t: {**r(n, t), "stage": 3})
fault(A, "a task name is a list", "response_schema_conformance", shown=lambda s, r, n, t: {**r(n, t), "task_name": [n]})
fault(A, "a task is shown twice", "pages_fit", page=lambda s, r, rows, l, o: r([*rows, rows[0]], l, o))
fault(A, "the named task is not listed", "task_is_listed", page=lambda s, r, rows, l, o: r([row for row in rows if row["task_name"] != TASK], l, o))
fault(A, "limit=0 is taken", "negative_data_rejection", limits=lambda s, r, c: (1, 0) if "limit=0" in c.query else r(c))
fault(A, "limit=101 is taken", "negative_data_rejection", limits=lambda s, r, c: (100, 0) if "limit=101" in c.query else r(c))
fault(A, "a negative offset is taken", "negative_data_rejection", limits=lambda s, r, c: (100, 0) if "offset=-" in c.query else r(c))
fault(A, "what is no number is ignored", "negative_data_rejection", limits=lambda s, r, c: _or(lambda: r(c), None))
fault(A, "an offset beyond the end is a failure", "not_a_server_error", page=lambda s, r, rows, l, o: (rows[o] if o else 0, r(rows, l, o))[1])
fault(A, "the list is refused", "positive_data_acceptance", listed=lambda s, r, c, i: s.refused(c, 400, "DBS.1", "?"))
fault(A, "the list is not found, only for this instance", "positive_data_acceptance", listed=lambda s, r, c, i: Answer(404, {"error_code": "DBS.1", "error_msg": "?"}), settings={"methods": 405}, route=lambda s, r, c: r(c) if not c.path.endswith("_x") else _refuse(Answer(405, None, {"Allow": "POST"})))

# --- leaks
A = "leaks"
fault(A, "a 200 echoes the token", "token_not_echoed", finish=lambda s, r, c, a: (document(lambda d: {**(d or {}), "debug": dict(c.headers)})(a), a)[1] if a.status == 200 else a)
fault(A, "a 401 echoes the token that was sent", "token_not_echoed", refused=lambda s, r, c, n, code, m: r(c, n, code, f"{m}: {c.header('x-auth-token')}") if n == 401 else r(c, n, code, m))
fault(A, "a 400 echoes all headers", "token_not_echoed", refused=lambda s, r, c, n, code, m: r(c, n, code, f"{m} {dict(c.headers)}") if c and n == 400 else r(c, n, code, m))
fault(A, "the token comes back in a header", "token_not_echoed", finish=lambda s, r, c, a: (header("X-Auth-Token", c.header("x-auth-token") or "")(a), a)[1])
fault(A, "the token comes back encoded", "token_not_echoed", finish=lambda s, r, c, a: (header("X-Debug", __import__("base64").b64encode((c.header("x-auth-token") or "").encode("latin-1")).decode())(a), a)[1])
fault(A, "a 401 tells the right token", "token_not_echoed", refused=lambda s, r, c, n, code, m: r(c, n, code, f"expected {TOKEN}" if n == 401 else m))
fault(A, "a 404 echoes the token", "token_not_echoed", finish=lambda s, r, c, a: (document(lambda d: {**(d or {}), "headers": dict(c.headers)})(a), a)[1] if a.status == 404 else a)
fault(A, "a traceback in the body", "internals_not_leaked", refused=lambda s, r, c, n, code, m: r(c, n, code, 'Traceback (most recent call last):\n  File "/srv/app.py", line 3'))
fault(A, "an exception's name in the message", "internals_not_leaked", refused=lambda s, r, c, n, code, m: r(c, n, code, "KeyError: 'task_name'") if n == 400 else r(c, n, code, m))
fault(A, "a Java stack in the message", "internals_not_leaked", refused=lambda s, r, c, n, code, m: r(c, n, code, "at com.vendor.Htap.pause(Htap.java:42)") if n == 400 else r(c, n, code, m))
fault(A, "a query in the message", "internals_not_leaked", refused=lambda s, r, c, n, code, m: r(c, n, code, "SELECT id FROM task WHERE name = ?") if code == "DBS.05000091" else r(c, n, code, m))
fault(A, "a traceback for half a surrogate pair", "internals_not_leaked", name_ok=lambda s, r, n: r(n) if not isinstance(n, str) or "\ud800" not in n else _refuse(Answer(400, {"error_code": "DBS.1", "error_msg": "UnicodeEncodeError: surrogates"})))

# --- robustness
A = "robustness"
fault(A, "500 on Unicode in the name", "not_a_server_error", name_ok=crash_if(lambda n: isinstance(n, str) and not n.isascii()))
fault(A, "500 on an emoji only", "not_a_server_error", name_ok=crash_if(lambda n: isinstance(n, str) and any(ord(c) > 0xFFFF for c in n)))
fault(A, "500 on half a surrogate pair", "not_a_server_error", name_ok=lambda s, r, n: (isinstance(n, str) and n.encode(), r(n))[1])
fault(A, "500 on a NUL", "not_a_server_error", name_ok=crash_if(lambda n: isinstance(n, str) and "\0" in n))
fault(A, "500 on a body that is not UTF-8", "not_a_server_error", parse=lambda s, r, b: r(b) if not _not_utf8(b) else 1 / 0)
fault(A, "500 on a body that is no object", "not_a_server_error", parse=lambda s, r, b: (d := r(b), dict.keys(d))[0])
fault(A, "500 on an empty body", "not_a_server_error", parse=crash_if(lambda b: not b))
fault(A, "500 on a name that is a number", "not_a_server_error", name_ok=lambda s, r, n: (n is None or len(n), r(n))[1])
fault(A, "500 on a name that is null", "not_a_server_error", name_ok=crash_if(lambda n: n is None))
fault(A, "500 on a long name", "not_a_server_error", name_ok=crash_if(lambda n: isinstance(n, str) and len(n) > 1000))
fault(A, "500 on a token beyond ASCII", "not_a_server_error", proved=crash_if(lambda c: not (c.header("x-auth-token") or "").isascii()))
fault(A, "500 on thousands of properties", "not_a_server_error", parse=lambda s, r, b: d if not isinstance(d := r(b), dict) or len(d) < 1000 else 1 / 0)
fault(A, "500 on a strange content type", "not_a_server_error", type_ok=lambda s, r, k: r(k) if not k or "/" in k else 1 / 0)
fault(A, "500 on a charset that nobody knows", "not_a_server_error", type_ok=lambda s, r, k: ("".encode((k or "").partition("charset=")[2].strip('"') or "utf-8"), r(k))[1])
fault(A, "500 on a parameter without a value", "not_a_server_error", limits=lambda s, r, c: r(c) if "limit=&" not in c.query + "&" else 1 / 0)
fault(A, "500 on a huge limit", "not_a_server_error", limits=lambda s, r, c: r(c) if "9999999999" not in c.query else 1 / 0)
fault(A, "500 on percent signs in the path", "not_a_server_error", route=crash_if(lambda c: "%25" in c.path))
fault(A, "500 on an unknown method", "not_a_server_error", route=crash_if(lambda c: c.method == "PATCH"))
fault(A, "hangs up on malformed JSON", "answers", parse=lambda s, r, b: _or_drop(lambda: r(b)))
fault(A, "hangs up now and then", "answers", finish=every(50, put(drop=True)))
fault(A, "cannot take further properties in other scripts", "not_a_server_error", parse=crash_if(lambda b: not b.isascii() and not _not_utf8(b)))

# --- slowness
A = "slowness"
fault(A, "every answer is slow", "response_time", settings={"lag": 0.5})
fault(A, "resume is slow", "response_time", finish=lambda s, r, c, a: (c.path.endswith("resume") and time.sleep(0.5), a)[1])
fault(A, "refusals are slow", "response_time", finish=lambda s, r, c, a: (a.status == 401 and time.sleep(0.5), a)[1])
fault(A, "one answer in thirty is slow", "response_time", finish=lambda s, r, c, a: (c.number % 30 == 0 and time.sleep(0.5), a)[1])
fault(A, "long names are slow to be refused", "response_time", name_ok=lambda s, r, n: (isinstance(n, str) and len(n) > 1000 and time.sleep(0.5), r(n))[1])

# --- names and identifiers that are another's
A = "body rules"
fault(A, "capitals do not matter in a name", "unknown_is_refused", task=lambda s, r, t, n: next((v for k, v in t.items() if k.lower() == n.lower()), None))
fault(A, "an underscore stands for any character", "unknown_is_refused", task=lambda s, r, t, n: r(t, n) or next((v for k, v in t.items() if re.fullmatch(n.replace("_", "."), k)), None))
fault(A, "the beginning of a name is enough", "unknown_is_refused", task=lambda s, r, t, n: next((v for k, v in t.items() if k.startswith(n)), None))
fault(A, "the end of a name is enough", "unknown_is_refused", task=lambda s, r, t, n: next((v for k, v in t.items() if k.endswith(n)), None))
fault(A, "white space in a name is dropped", "invalid_accepted", name_ok=lambda s, r, n: isinstance(n, str) and r(re.sub(r"\s", "", n)), task=lambda s, r, t, n: r(t, re.sub(r"\s", "", n)))
A = "path rules"
fault(A, "an instance ID in capitals is the same", "unknown_is_refused", find=lambda s, r, i: r(i[:32].lower() + i[32:]))
fault(A, "a project ID in capitals is the same", "unknown_is_refused", project_ok=lambda s, r, p: r(p.lower()))
fault(A, "a decoded question mark begins a query", "path_is_exact", route=lambda s, r, c: (setattr(c, "path", c.path.partition("%3F")[0]), r(c))[1], warning=True)

# --- what a server does over time
A = "over time"
fault(A, "a pause undoes itself", "change_lasts", carry_out=lambda s, r, t, v, i, n: (r(t, v, i, n), v == "pause" and _undo_later(s, t, "Paused", "Incremental"))[0])
fault(A, "a resume undoes itself", "change_lasts", carry_out=lambda s, r, t, v, i, n: (r(t, v, i, n), v == "resume" and _undo_later(s, t, "Incremental", "Paused"))[0])
fault(A, "reading the list often ends a pause", "change_lasts", carry_out=lambda s, r, t, v, i, n: (s.memory.update(reads=0), r(t, v, i, n))[1], listed=lambda s, r, c, i: (s.memory.update(reads=s.memory.get("reads", 0) + 1), s.memory["reads"] > 6 and setattr(s.instances[INSTANCE][TASK], "stage", "Incremental"), r(c, i))[2])
fault(A, "a refused request ends a pause", "refusal_changes_nothing", refused=lambda s, r, c, n, code, m: (setattr(s.instances[INSTANCE][TASK], "stage", "Incremental"), r(c, n, code, m))[1])
fault(A, "DELETE cancels the task behind a 405", "refusal_changes_nothing", route=lambda s, r, c: (c.method == "DELETE" and setattr(s.instances[INSTANCE][TASK], "stage", "Cancelled"), r(c))[1])
fault(A, "HEAD pauses behind a 405", "refusal_changes_nothing", route=lambda s, r, c: (c.method == "HEAD" and c.path.endswith("pause") and setattr(s.instances[INSTANCE][TASK], "stage", "Paused"), r(c))[1])
fault(A, "OPTIONS pauses behind a 204", "refusal_changes_nothing", route=lambda s, r, c: r(c) if c.method != "OPTIONS" else (c.path.endswith("pause") and setattr(s.instances[INSTANCE][TASK], "stage", "Paused"), _refuse(Answer(204)))[1])
fault(A, "the list in Chinese is out of date", "same_for_all_readers", listed=lambda s, r, c, i: _never_paused(r(c, i)) if c.header("x-language") == "zh-cn" else r(c, i))
fault(A, "the list without a query is out of date", "same_for_all_readers", listed=lambda s, r, c, i: r(c, i) if c.query else _never_paused(r(c, i)))
fault(A, "total_count counts the page", "pages_fit", page=lambda s, r, rows, l, o: {**r(rows, l, o), "total_count": len(rows[o : o + l])})
fault(A, "total_count counts what is left", "pages_fit", page=lambda s, r, rows, l, o: {**r(rows, l, o), "total_count": max(0, len(rows) - o)})
fault(A, "every seventh request on a connection fails", "connection_is_reusable", finish=lambda s, r, c, a: (c.nth % 7 == 0 and put(status=500)(a), a)[1])
fault(A, "who was let in once is let in on that connection", "ignored_auth", proved=lambda s, r, c: c.session.setdefault("in", r(c)) or r(c))
fault(A, "a refusal is followed by more", "connection_is_reusable", finish=on(400, put(stray=b"HTTP/1.1 200 OK\r\n\r\n")))
fault(A, "the tenth try of an unknown task is taken", "unknown_is_refused", task=lambda s, r, t, n: r(t, n) or (t[TASK] if _count(s, n) % 10 == 0 else None))
fault(A, "the ninth refusal of the same differs", "same_every_time", finish=lambda s, r, c, a: (a.status == 400 and _count(s, (c.path, c.query, c.body)) > 8 and "no_such" in c.body.decode("latin-1") and put(status=403)(a), a)[1])
fault(A, "every ninth wrong token is let in", "ignored_auth", proved=lambda s, r, c: r(c) or _count(s, "wrong") % 9 == 0)

# --- requests at the same time
A = "at once"
fault(A, "requests at once fail", "at_once", finish=lambda s, r, c, a: (c.others > 0 and put(status=500)(a), a)[1], settings={"lag": 0.005})
fault(A, "requests at once are not answered", "answers", finish=lambda s, r, c, a: (c.others > 0 and put(drop=True)(a), a)[1], settings={"lag": 0.005})
fault(A, "requests at once share a token", "ignored_auth", proved=lambda s, r, c: r(c) or c.others > 0, settings={"lag": 0.005})
fault(A, "requests at once get one request ID", "request_id", finish=lambda s, r, c, a: (c.others > 0 and header("X-Request-Id", "busy")(a), a)[1], settings={"lag": 0.005})
fault(A, "requests at once are refused", "at_once", finish=lambda s, r, c, a: (c.others > 0 and a.status == 200 and (put(status=400)(a), put(document={"error_code": "DBS.1", "error_msg": "busy"})(a)), a)[1], settings={"lag": 0.005})

# --- headers and queries that change what a request means
A = "other meanings"
fault(A, "X-HTTP-Method-Override is obeyed", "headers_keep_meaning", route=lambda s, r, c: (setattr(c, "method", c.header("x-http-method-override") or c.method), r(c))[1])
fault(A, "X-Method-Override is obeyed", "headers_keep_meaning", route=lambda s, r, c: (setattr(c, "method", c.header("x-method-override") or c.method), r(c))[1])
fault(A, "_method of the query is obeyed", "headers_keep_meaning", route=lambda s, r, c: (setattr(c, "method", "POST" if "_method=POST" in c.query else c.method), r(c))[1])
fault(A, "X-Original-URL is obeyed", "headers_keep_meaning", route=lambda s, r, c: (setattr(c, "path", c.header("x-original-url") if c.header("x-original-url") not in (None, "/") else c.path), r(c))[1])
fault(A, "the task name of the query counts", "unknown_is_refused", task_name=lambda s, r, c: m[1] if (m := re.search(r"task_name=(\w+)", c.query)) else r(c))
fault(A, "the task name of a header counts", "unknown_is_refused", task_name=lambda s, r, c: c.header("x-task-name") or r(c))
fault(A, "callers from this machine need no token", "ignored_auth", proved=lambda s, r, c: r(c) or c.header("x-forwarded-for") == "127.0.0.1")
fault(A, "X-Forwarded-User is believed", "ignored_auth", proved=lambda s, r, c: r(c) or c.header("x-forwarded-user") is not None)
fault(A, "browsers get a page", "content_type_conformance", finish=lambda s, r, c, a: ("html" in (c.header("accept") or "") and header("Content-Type", "text/html")(a), a)[1])

# --- what frameworks do by themselves
A = "frameworks"
fault(A, "405 without Allow", "allow_header_conformance", finish=on(405, header("Allow", "")), warning=True)
fault(A, "an encoded slash is decoded", "path_is_exact", route=lambda s, r, c: (setattr(c, "path", c.path.replace("%2F", "/")), r(c))[1], warning=True)
fault(A, "a slash at the end of the path", "path_is_exact", route=lambda s, r, c: (setattr(c, "path", c.path.rstrip("/")), r(c))[1], warning=True)
fault(A, "a line break at the end of the path", "path_is_exact", route=lambda s, r, c: (setattr(c, "path", c.path.removesuffix("%0A")), r(c))[1], warning=True)
fault(A, "another case in the path", "path_is_exact", route=lambda s, r, c: (setattr(c, "path", c.path.replace("/Instances/", "/instances/")), r(c))[1], warning=True)
fault(A, "JSON in UTF-16 is read", "negative_data_rejection", parse=lambda s, r, b: json.loads(b), warning=True)
fault(A, "500 on deep nesting", "not_a_server_error", parse=crash_if(lambda b: _depth(b) > 500), warning=True)
fault(A, "methods in small letters", "unsupported_method", route=lambda s, r, c: (setattr(c, "method", c.method.upper()), r(c))[1], warning=True)

# --- what cannot be found
fault("body rules", "names of 3 characters are refused", None, name_ok=lambda s, r, n: r(n) and len(n) > 3, why="A task of such a name is not known to be there, and without one the right answer is a 400 too.")
fault("body rules", "names of 128 characters are refused", None, name_ok=lambda s, r, n: r(n) and len(n) < 128, why="A task of such a name is not known to be there, and without one the right answer is a 400 too.")
fault("body rules", "two characters are a name", None, name_ok=lambda s, r, n: isinstance(n, str) and bool(re.fullmatch(r"[A-Za-z0-9_]{2,128}", n)), why="No task has such a name, so the answer is a 400 all the same.")
fault("authentication", "an expired token is taken", None, proved=lambda s, r, c: r(c) or c.header("x-auth-token") == "expired-long-ago", why="There is no expired token to try: one is given, and it is good.")
fault("authentication", "a second secret token is taken", None, proved=lambda s, r, c: r(c) or c.header("x-auth-token") == "back-door-7d1f", why="It would have to be guessed.")
fault("state", "a task of an instance that nobody named changes", None, carry_out=lambda s, r, t, v, i, n: [r(each, v, i, n) for each in (t, s.instances[OTHER]["other_sync"])], settings={"others": True}, why="Only what can be listed can be compared; the instance is not known. TAURUSDB_FUZZ_OTHER_INSTANCE_ID names one.")
fault("content type", "the language asked for is ignored", None, finish=on(400, document(lambda d: {**d, "error_msg": "Error."})), why="Which texts there are in which language is not published.")
fault("slowness", "an answer that is slow once", None, finish=lambda s, r, c, a: (c.number == 60 and time.sleep(0.5), a)[1], why="One slow answer that is not slow when asked again says more about the machine than about the target.")

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
