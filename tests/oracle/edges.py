"""Exchanges at the edges of the judgement, which no server happens to give."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

from taurusdb_starrocks_conformance.build import request_for
from taurusdb_starrocks_conformance.contract import operations
from taurusdb_starrocks_conformance.exchange import Exchange, Expectation, Reply, Request
from taurusdb_starrocks_conformance.target import Target

from tests.power.server import INSTANCE, OTHER, PROJECT, TASK, TOKEN

SOURCE = "5e4d3c2b1a09f8e7d6c5b4a392817060in07"
TARGET = Target(
    url="http://127.0.0.1:1",
    token=TOKEN,
    project_id=PROJECT,
    instance_id=INSTANCE,
    task_name=TASK,
    other_instance_id=OTHER,
    source_instance_id=SOURCE,
)
HEADERS = {"Content-Type": "application/json", "X-Request-Id": "id"}


def reply(status: int, document: Any = None, **headers: str) -> Reply:
    """A response with all that it must have, but for what is given."""
    named = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    body = document if isinstance(document, bytes) else json.dumps(document or {}).encode()
    return Reply(status, tuple((name, value) for name, value in named.items() if value), body)


def exchanged(request: Request, got: Reply | None, **settings: Any) -> Exchange:
    """An exchange."""
    return Exchange(0, "edge", request, got, None if got else "TimeoutError: late", **settings)


def edges() -> list[tuple[Target, list[Exchange]]]:
    """Runs of exchanges, each about one rule."""
    return [
        (TARGET, list(statuses())),
        (TARGET, list(requests())),
        (TARGET, list(sizes())),
        (TARGET, list(headers())),
        (TARGET, list(changes())),
        *((replace(TARGET, token=token), leaks(token)) for token in TOKENS),
    ]


def statuses() -> Any:
    """Every status about which there is a rule, and its neighbors, with each expectation."""
    pause, listed = operations()["pause"], operations()["list"]
    elsewhere = Request("BREW", "/nowhere", (("X-Auth-Token", TOKEN),))
    expectations = (
        None,
        Expectation("negative_data_rejection", "a", frozenset({400})),
        Expectation("path_is_exact", "b", frozenset({404}), frozenset({200, 500})),
        Expectation("unsupported_method", "c", frozenset({405, 501}), frozenset({501}), True, "s"),
        Expectation("use_after_free", "d", frozenset({200, 204})),
    )
    wrong = [("X-Auth-Token", "canary_of_forty_characters")]
    for status in (0, 199, 200, 201, 204, 299, 300, 400, 401, 404, 405, 429, 499, 500, 501, 503):
        for expect in expectations:
            for request in (
                request_for(TARGET, pause),
                request_for(TARGET, pause, task_name="no_such_task_of_the_suite"),
                request_for(TARGET, pause, body=b'{"task_name": "a-b"}'),
                request_for(TARGET, listed, headers=wrong),
                request_for(TARGET, listed, query="limit=0"),
                replace(request_for(TARGET, pause), method="PUT"),
                elsewhere,
            ):
                got = reply(status, {"job_id": f"{status}"}) if status else None
                yield exchanged(request, got, expect=expect)
                yield exchanged(request, got, expect=expect, excused=True)


def requests() -> Any:
    """Requests of every kind, all accepted."""
    names: list[Any] = [
        *(TASK, TASK.upper(), TASK[:-1], f" {TASK}", f"{TASK}\u2028", f"{TASK}\xe9", "ab", "abc-"),
        *("a" * 128, "a" * 129, "a-" * 64, "a-" * 64 + "b", "-" * 3, "é" * 2, None, 1, [TASK], {}),
    ]
    other, absent = {"project_id": "0" * 32}, {"instance_id": "0" * 32 + "in17"}
    for verb, operation in operations().items():
        own = TARGET.instance(operation)
        for changes in (
            *({}, other, absent, {"project_id": "z" * 32}, {"instance_id": "z" * 32 + "in17"}),
            *(
                {"project_id": PROJECT.upper()},
                {"project_id": f"{PROJECT}%0A"},
                {"project_id": "a"},
            ),
            *({"instance_id": own.upper()}, {"instance_id": own[:32].upper() + own[32:]}),
            *({"instance_id": f"{own}%20"}, {"instance_id": OTHER}, {"query": "limit=1"}),
            *({"headers": [("X-Language", language)]} for language in ("en-us", "zh-cn", "fr", "")),
            *(
                {"headers": [("Content-Type", kind)]}
                for kind in ("text/plain", "application/json ;x")
            ),
            {"without": ["X-Auth-Token"]},
            {"headers": [("Authorization", "Basic YTpi")]},
        ):
            yield exchanged(request_for(TARGET, operation, **changes), reply(200, {"job_id": "1"}))
        for name in names:
            body = json.dumps({"task_name": name}).encode()
            extra = json.dumps({"task_name": name, "x": 1}).encode()
            for sent in (body, extra) if operation.method == "POST" else ():
                yield exchanged(request_for(TARGET, operation, body=sent), reply(200))
            if operation.names_task and isinstance(name, str):
                for query in (f"task_name={name}", f"task_name={name}&x=1", f"x={name}"):
                    request = request_for(TARGET, operation, query=query)
                    yield exchanged(request, reply(200))
                    yield exchanged(
                        replace(request, path=request.path.partition("?")[0]), reply(200)
                    )
        for body in (b"", b"[]", b"null", b"{}", b"\xff", b'{"x": 1}') if verb == "pause" else ():
            yield exchanged(request_for(TARGET, operation, body=body), reply(200))
    for query in (
        "limit=0",
        "limit=1",
        "limit=100",
        "limit=101",
        "limit=1.0",
        "limit=+1",
        "limit=1.5",
        "limit=",
        "limit=a",
        "offset=-1",
        "offset=0",
        "offset=2147483647",
        "x=9",
        "offset=2147483648",
        "limit=1&limit=500",
        "limit=" + "9" * 400,
        "limit=1_0",
    ):
        yield exchanged(request_for(TARGET, operations()["list"], query=query), reply(200))
    # A server that fails always: all later failures of the operation have that cause.
    for name in (TASK + "-", TASK, TASK + "-"):
        body = json.dumps({"task_name": name}).encode()
        yield exchanged(request_for(TARGET, operations()["pause"], body=body), reply(500))


def sizes() -> Any:
    """Requests as long as common servers take, and longer; and bytes that HTTP does not have."""
    pause = request_for(TARGET, operations()["pause"])
    used = sum(len(name) + len(value) for name, value in pause.headers) + 1
    for got in (reply(404), reply(200, {"job_id": "2"}), None):
        for request in (
            *(
                replace(pause, path=pause.path + "?" + "x" * (size - len(pause.path) - 1))
                for size in (3_999, 4_000, 4_001)
            ),
            *(
                replace(pause, headers=(*pause.headers, ("a", "x" * (size - used))))
                for size in (6_999, 7_000, 7_001)
            ),
            *(replace(pause, body=pause.body.ljust(size)) for size in (59_999, 60_000, 60_001)),
            *(
                replace(pause, headers=(*pause.headers, ("a", char)))
                for char in ("\t", " ", "~", "\x1f", "\x7f", "\x80", "é", "\0")
            ),
            replace(pause, path=pause.path + "é"),
        ):
            yield exchanged(request, got)
            may = Expectation("answers", "may drop", frozenset({200, 404}), may_drop=True)
            yield exchanged(request, got, expect=may)


def headers() -> Any:
    """Request IDs, content types, and documents of every shape."""
    pause, listed = (request_for(TARGET, operations()[verb]) for verb in ("pause", "list"))
    absent = Request("GET", "/nowhere")
    explained = {"error_code": "A.1", "error_msg": "a"}
    for request in (pause, listed, absent, replace(pause, path=pause.path.replace(PROJECT, "a"))):
        for own in ("", " ", "a", "b", "b", "c"):
            yield exchanged(request, reply(400, explained, X_Request_Id=own))
        for inner in ("a", "m", "z", 1, None):
            document = {**explained, "request_id": inner}
            yield exchanged(request, reply(401, document, X_Request_Id="m" + str(inner)))
            yield exchanged(request, reply(401, document, X_Request_Id=str(inner)))
        for kind in ("", "text/html", "application/json; charset=utf-8", "APPLICATION/JSON", "a"):
            for document in (explained, {}, b"", b"<html>", [], {"job_id": "1"}, {"job_id": 1}):
                for status in (200, 400, 401, 500):
                    got = reply(status, document, Content_Type=kind, X_Request_Id=f"n{len(kind)}")
                    yield exchanged(request, got)
        for rows in ([], {}, [{"stage": 1}], [{"a": 1}, {"task_name": [1]}], None):
            yield exchanged(request, reply(200, {"replications": rows, "job_id": "1"}))
        for allow in ("", "POST"):
            for check in ("unsupported_method", "answers", "use_after_free"):
                expect = Expectation(check, "x", frozenset({405}))
                for status in (404, 405, 406):
                    yield exchanged(request, reply(status, Allow=allow), expect=expect)


def changes() -> Any:
    """Pauses, resumes and lists in every order, with jobs and stages of every kind."""
    sent = {verb: request_for(TARGET, operations()[verb]) for verb in ("pause", "resume")}
    listed = request_for(TARGET, operations()["list"], query="limit=100&offset=0")
    others = (
        request_for(TARGET, operations()["list"]),
        request_for(TARGET, operations()["list"], query="limit=9&offset=0", instance_id=OTHER),
        replace(listed, headers=(*listed.headers, ("X-Language", "zh-cn"))),
    )
    stages: list[Any] = ["Paused", "Incremental", "Wait", "Cancelled", "odd", None, 1]
    for number, stage in enumerate(stages * 2):
        for verb, request in sent.items():
            for job, status in (
                (f"j{number // 3}", 200),
                (f"k{number}{verb}", 200),
                ("", 200),
                ("x", 400),
                ("x", 500),
                ("x", 401),
                ("x", 0),
            ):
                got = reply(status, {"job_id": job}) if status else None
                if status in (200, 400) or number % 3 == 0:
                    yield exchanged(request, got)
                for name in (TASK, "another"):
                    rows = [{"task_name": name, "stage": stage}, {}, 1]
                    for look in (listed, *others):
                        for seen in (stage, stages[(number + 1) % len(stages)])[
                            : 1 + (look is listed)
                        ]:
                            rows[0] = {"task_name": name, "stage": seen}
                            if (number + len(job)) % 2 or look is listed:
                                yield exchanged(look, reply(200, {"replications": rows}))
                for method in ("HEAD", "OPTIONS", "PUT", "TRACE", "GET"):
                    if number % 5 == 0 and status == 200:
                        yield exchanged(replace(request, method=method), reply(204, b""))
                        yield exchanged(
                            listed,
                            reply(200, {"replications": [{"task_name": TASK, "stage": stage}]}),
                        )
    for document in ([], {"replications": {}}, {"replications": [[]]}):
        yield exchanged(listed, reply(200, document))
    wrong = (
        {"project_id": "0" * 32},
        {"instance_id": OTHER},
        {"task_name": "another"},
        {"headers": [("Content-Type", "text/plain")]},
        {"headers": [("X-Language", "fr")]},
        {"headers": [("Content-Type", "application/json; charset=utf-8")]},
        {"headers": [("X-Language", "zh-cn")]},
        {"body": b"[]"},
        {"without": ["X-Auth-Token"]},
    )
    for settings in wrong:
        request = request_for(TARGET, operations()["pause"], **settings)  # type: ignore[arg-type] # one at a time
        yield exchanged(request, reply(400))
        yield exchanged(request, reply(200, {"job_id": "w"}))


TOKENS = ("a" * 11, "a" * 12, "a" * 13, "tok3n_of_11", "tok3n_of__12", "tok3n_of___13", "x1")


def leaks(token: str) -> list[Exchange]:
    """Tokens of every length, in headers and bodies, whole and encoded; the program's inside."""
    target = replace(TARGET, token=token)
    listed = operations()["list"]
    encoded = base64.b64encode(token.encode()).decode()
    found = []
    for sent in (token, "", "w1ong_of_11", "w1ong_of__12", "w1ong_of___13", "zz" * 14, "AAA" * 9):
        request = request_for(target, listed, headers=[("X-Auth-Token", sent)])
        for text in (token, f"x{token}", f"{token}x", f"({token})", encoded, sent, "nothing"):
            found.append(exchanged(request, reply(200, {"ext_text": text})))
            found.append(exchanged(request, reply(401, X_Debug=text)))
    inside = ("Traceback (most recent call last)", "KeyError: 'a'", "at a.B(C.java:1)")
    plain = request_for(target, listed)
    return found + [exchanged(plain, reply(400, {"error_msg": text})) for text in inside]
