"""Requests made by hand, for what schemathesis does not send; each with the answers that will do.

The contract documents 200, 400, 401, 403, 429 and 500. Where another status will do, or several,
it stands here why. What is allowed beyond the contract is only what HTTP leaves to a server or a
router in front of the service, and what no reasonable one does otherwise.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from .contract import Operation, operations
from .judge import may_be_dropped
from .near_misses import wrong_identifiers, wrong_names
from .target import Target, is_loopback
from .wire import UNKNOWN_TASK, Exchange, Request, Wire, canary

ACCEPTED = frozenset({200})
MALFORMED = frozenset({400})
# A project, instance or task that is not there: 400, as in the vendor's example; 403 is documented
# as "no permission, or absent, which is not told apart".
ABSENT = frozenset({400, 403})
# A token is good for its own project only; elsewhere the gateway answers 401.
FOREIGN = frozenset({400, 401, 403})
UNPROVED = frozenset({401, 403})
# A malformed identifier: the service's 400; or the 404 or 405 of a router that knows the rule and
# so does not find the path; or a refusal because it cannot be a project of the caller's.
MALFORMED_PATH = frozenset({400, 401, 403, 404, 405})
# Another path altogether, to a router or a server in front: not found, or put right and redirected.
ANOTHER_PATH = frozenset({301, 302, 307, 308, 400, 401, 403, 404, 405})
# The contract has no 415, but it is what HTTP has for a body of another type, and frameworks answer
# it before the service is asked.
ANOTHER_TYPE = frozenset({400, 415})
# RFC 9110 wants 405, or 501 for a method that the server does not know at all; a router by method
# answers 404, identity may be looked at first, and servers refuse TRACE as malformed.
ANOTHER_METHOD = frozenset({400, 401, 403, 404, 405, 501})
TOO_LONG = frozenset({400, 401, 403, 404, 405, 413, 414, 431})
# Where JSON or HTTP leave it open how something is read: any documented answer but a failure.
EITHER = frozenset({200, 400})
EITHER_TYPE = frozenset({200, 400, 415})
TOO_LONG_OR_FINE = frozenset({200, 400, 413})


@dataclass(frozen=True)
class Probe:
    """A request and what may be answered to it.

    Attributes:
        check: The check that has failed if a 2xx comes that must not, or none that must.
        may_drop: Whether hanging up will do, too.
    """

    group: str
    name: str
    check: str
    request: Request
    allowed: frozenset[int]
    may_drop: bool = False


def run(wire: Wire, probe: Probe, report: Any) -> Exchange:
    """Send a probe and judge the status."""
    source = "oversized" if probe.may_drop else f"{probe.group}: {probe.name}"
    exchange = wire.send(probe.request, source, patient=probe.allowed == ACCEPTED)
    reply = exchange.reply
    judged = probe.check == "unsupported_method" and reply is not None and reply.status == 405
    if judged and reply is not None and not reply.header("Allow"):
        report(probe.check, f"{probe.name}: 405 without Allow (RFC 9110, 15.5.6)", exchange)
    if reply is None or reply.status in probe.allowed or reply.status >= 500:
        return exchange  # No answer and 5xx are judged with all other answers.
    found = probe.request.operation(wire.target.base)
    documented = found is not None and reply.status in found[0].documented
    if documented or (reply.accepted and 200 not in probe.allowed):
        expected = " or ".join(str(status) for status in sorted(probe.allowed))
        text = f"{probe.group}, {probe.name}: answered {reply.status}, expected {expected}"
        report(probe.check, text, exchange)
    elif not may_be_dropped(probe.request):
        text = f"{probe.group}, {probe.name}: answered {reply.status}, which is not documented"
        report("status_code_conformance", text, exchange)
    return exchange


def groups(wire: Wire, seed: int) -> Iterator[tuple[str, list[Probe]]]:
    """All probes, in groups that leave the named task as it was."""
    target, chance = wire.target, random.Random(seed)
    verbs = [verb for verb in operations() if verb not in wire.lacking]
    for verb in verbs:
        operation = operations()[verb]
        yield f"right requests: {verb}", list(right(wire, operation))
        yield f"identity: {verb}", list(identities(wire, operation, chance))
        yield f"identifiers: {verb}", list(identifiers(wire, operation, chance))
        yield f"paths: {verb}", list(paths(wire, operation))
        yield f"methods: {verb}", list(methods(wire, operation))
        yield f"languages: {verb}", list(languages(wire, operation))
        if operation.method == "POST":
            yield f"names: {verb}", list(names(wire, operation, target, chance))
            yield f"bodies: {verb}", list(bodies(wire, operation, target))
            yield f"content types: {verb}", list(content_types(wire, operation, target))
            yield f"sizes: {verb}", list(sizes(wire, operation, target))
        elif operation.names_task:
            yield f"names: {verb}", list(names_in_query(wire, operation, target, chance))
        elif verb == "list":
            yield f"limits: {verb}", list(limits(wire, operation))


def right(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """Requests in forms that the contract, JSON and HTTP all call right: they are accepted."""
    name = wire.target.task_name
    group, check = f"right requests: {operation.verb}", "positive_data_acceptance"

    def probe(what: str, request: Request, allowed: frozenset[int] = ACCEPTED) -> Probe:
        return Probe(group, what, check, request, allowed)

    yield probe("plain", wire.request(operation))
    yield probe("in Chinese", wire.request(operation, headers=[("X-Language", "zh-cn")]))
    yield probe("in English", wire.request(operation, headers=[("X-Language", "en-us")]))
    token = ("x-auth-token", wire.target.token)
    yield probe("header name in small letters", wire.request(operation, headers=[token]))
    if operation.method == "GET" and operation.verb != "list":
        return
    if operation.method == "GET":
        for query in ("limit=1", "limit=100", "offset=0", "limit=1&offset=0", "offset=2147483647"):
            yield probe(query, wire.request(operation, query=query))
        return
    texts = {
        "no spaces": f'{{"task_name":"{name}"}}',
        "spaces and line breaks": f'\r\n {{\n\t"task_name" :\n "{name}" }} \n',
        "escaped letters": '{"task_name": "' + "".join(f"\\u{ord(c):04x}" for c in name) + '"}',
        "escaped key": f'{{"task\\u005fname": "{name}"}}',
        "further property": json.dumps({"task_name": name, "note": "x"}),
        "further property in other scripts": json.dumps(
            {"task_name": name, "\u6ce8": "\U0001f600 \u00e9"}, ensure_ascii=False
        ),
        "further properties of all types": json.dumps(
            {"a": None, "b": [1, {"c": True}], "task_name": name, "d": 1e300, "e": -0.0}
        ),
        "a key that is empty": json.dumps({"": 1, "task_name": name}),
    }
    for what, text in texts.items():
        yield probe(what, wire.request(operation, body=text.encode()))
    # How the vendor's official client sends it.
    for kind in ("application/json;charset=UTF-8", "application/json; charset=utf-8"):
        yield probe(kind, wire.request(operation, headers=[("Content-Type", kind)]))


def identities(wire: Wire, operation: Operation, chance: random.Random) -> Iterator[Probe]:
    """Nobody, or somebody else: 401 or 403, whatever else is right."""
    group, check = f"identity: {operation.verb}", "ignored_auth"
    token = wire.target.token

    def wrong() -> str:
        return canary(str(chance.random()))

    def probe(what: str, *headers: tuple[str, str], query: str = "") -> Probe:
        request = wire.request(operation, headers=headers, without=["X-Auth-Token"], query=query)
        return Probe(group, what, check, request, UNPROVED)

    yield probe("none")
    yield probe("empty token", ("X-Auth-Token", ""))
    yield probe("another token", ("X-Auth-Token", wrong()))
    yield probe("one character more", ("X-Auth-Token", token + "x"))
    yield probe("twice", ("X-Auth-Token", token + token))
    if len(token) > 1:
        yield probe("one character less", ("X-Auth-Token", token[:-1]))
        yield probe("first character", ("X-Auth-Token", token[0]))
    if token.swapcase() != token:
        yield probe("capitals swapped", ("X-Auth-Token", token.swapcase()))
    yield probe(
        "last character changed", ("X-Auth-Token", token[:-1] + ("a" if token[-1] != "a" else "b"))
    )
    yield probe("token as bearer", ("Authorization", f"Bearer {token}"))
    yield probe("token as Authorization", ("Authorization", token))
    yield probe("token in another header", ("X-Subject-Token", token))
    yield probe("token in a cookie", ("Cookie", f"X-Auth-Token={token}"))
    yield probe("wrong bearer", ("Authorization", f"Bearer {wrong()}"))
    yield probe("basic", ("Authorization", "Basic YTpi"))
    signature = f"Access=FUZZ{chance.randrange(10**12):012d}, SignedHeaders=host;x-sdk-date"
    yield probe(
        "wrong signature",
        ("Authorization", f"SDK-HMAC-SHA256 {signature}, Signature={'0' * 64}"),
        ("X-Sdk-Date", "20250101T000000Z"),
    )
    yield probe("algorithm without a signature", ("Authorization", "SDK-HMAC-SHA256"))
    yield probe("words for true", ("X-Auth-Token", "null"))
    yield probe("SQL", ("X-Auth-Token", "' OR '1'='1"))
    yield probe("the token in quotes", ("X-Auth-Token", f'"{token}"'))
    yield probe("bearer in front of the token", ("X-Auth-Token", f"Bearer {token}"))
    if is_loopback(urlsplit(wire.target.url).hostname or ""):
        # Elsewhere it would end up in logs.
        for name in ("X-Auth-Token", "token", "access_token"):
            yield probe(
                f"the token as {name} of the query", query=f"{name}={quote(token, safe='')}"
            )
    # Bytes that a header cannot hold, or too many: refused by whoever sees them first.
    odd = {"beyond ASCII": wrong() + "\u00e9\u00ff", "long": wrong() * 500}
    for what, value in odd.items():
        request = wire.request(operation, headers=[("X-Auth-Token", value)])
        yield Probe(group, what, check, request, TOO_LONG, may_drop=True)
    if operation.method == "GET":
        return
    yield probe("a wrong token and a malformed body", ("X-Auth-Token", wrong()), ("X-Note", "1"))


def identifiers(wire: Wire, operation: Operation, chance: random.Random) -> Iterator[Probe]:
    """Identifiers that are nearly right, and some that are right and belong to nothing."""
    group, target = f"identifiers: {operation.verb}", wire.target
    for name in ("project_id", "instance_id"):
        own = target.project_id if name == "project_id" else target.instance(operation)
        wrong = wrong_identifiers(own)
        if name == "instance_id":
            wrong |= {
                "suffix in capitals": own[:32] + "IN17",
                "suffix of digits": own[:32] + "1717",
            }
        for what, value in wrong.items():
            request = wire.request(operation, **{name: value})  # type: ignore[arg-type] # a name of two
            allowed = TOO_LONG if what == "long" else MALFORMED_PATH
            yield Probe(group, f"{name}, {what}", "invalid_accepted", request, allowed)
    absent = f"{chance.getrandbits(128):032x}"
    refused = "unknown_is_refused"
    request = wire.request(operation, instance_id=absent + "in17")
    yield Probe(group, "an instance that is not there", refused, request, ABSENT)
    request = wire.request(operation, project_id=absent)
    yield Probe(group, "a project that is not there", refused, request, FOREIGN)
    request = wire.request(operation, project_id=absent, instance_id=absent + "in17")
    yield Probe(group, "neither is there", refused, request, FOREIGN)
    flipped = ("0" if own[0] != "0" else "1") + own[1:]
    request = wire.request(operation, instance_id=flipped)
    yield Probe(group, "an instance but for one character", refused, request, ABSENT)
    # The TaurusDB instance that the StarRocks one replicates from is not what the calls take.
    parent = own[:32] + ("in07" if own[32:] != "in07" else "in16")
    request = wire.request(operation, instance_id=parent)
    yield Probe(group, "an instance of another kind", refused, request, ABSENT)


def paths(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """Paths that lead nowhere: no way up, no slash in disguise, no neighbour of the operation."""
    group = f"paths: {operation.verb}"
    target = wire.target
    own = wire.request(operation)
    path, _, query = own.path.partition("?")
    own_instance = target.instance(operation)
    project, instance = f"/{target.project_id}/", f"/{own_instance}/"

    def changed(what: str, new: str, allowed: frozenset[int] = ANOTHER_PATH) -> Probe:
        new += f"?{query}" if query else ""
        request = Request(own.method, new, own.headers, own.body)
        return Probe(group, what, "path_is_exact", request, allowed)

    yield changed("way up for the instance", path.replace(instance, "/../"))
    yield changed("encoded way up for the instance", path.replace(instance, "/%2e%2e/"))
    yield changed("encoded slash after the project", path.replace(project, project[:-1] + "%2F"))
    yield changed("encoded way up", path.replace(instance, f"/x%2F..%2F{own_instance}/"))
    yield changed("twice encoded slash", path.replace("/instances/", "%252Finstances%252F"))
    yield changed("backslashes", path.replace("/instances/", "\\instances\\"))
    yield changed("no project", path.replace(project, "/"))
    yield changed("another version", path.replace("/v3/", "/v2/"))
    yield changed("a segment more", path + "/now")
    yield changed("a letter more", path + "s")
    yield changed("a letter less", path[:-1])
    yield changed("NUL at the end", path + "%00")
    yield changed("line break at the end", path + "%0A")
    if "/starrocks/" in path:
        yield changed("another product", path.replace("/starrocks/", "/clickhouse/"))
    yield changed("only a slash", "/", ANOTHER_PATH | {200})


def methods(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """Methods that the contract does not have are refused."""
    own = wire.request(operation)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"):
        if method != operation.method:
            request = Request(method, own.path, own.headers, own.body if method != "TRACE" else b"")
            yield Probe(
                f"methods: {operation.verb}", method, "unsupported_method", request, ANOTHER_METHOD
            )


def languages(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """`X-Language` has two values."""
    for value in ("fr-fr", "en", "en-us,zh-cn", "en_us", "1", "x" * 300):
        request = wire.request(operation, headers=[("X-Language", value)])
        group = f"languages: {operation.verb}"
        yield Probe(group, value[:20], "negative_data_rejection", request, MALFORMED)


def names_in_query(
    wire: Wire, operation: Operation, target: Target, chance: random.Random
) -> Iterator[Probe]:
    """The same for an operation whose query names the task."""
    group = f"names: {operation.verb}"
    for what, value in wrong_names(target.task_name).items():
        if isinstance(value, str) and len(value) < 4_000:
            name = quote(value.encode("utf-8", "surrogatepass"), safe="")
            request = wire.request(operation, query=f"task_name={name}")
            yield Probe(group, what, "invalid_accepted", request, MALFORMED)
    for what, query in {
        "no name": "limit=1&task_name=",
        "another parameter": f"name={target.task_name}&x_task_name={target.task_name}",
        "in capitals": f"TASK_NAME={target.task_name}&x_task_name=",
    }.items():
        request = wire.request(operation, query=query)
        yield Probe(group, what, "negative_data_rejection", request, MALFORMED)
    absent = f"{UNKNOWN_TASK}_{chance.getrandbits(64):x}"
    request = wire.request(operation, task_name=absent)
    yield Probe(group, "a task that is not there", "unknown_is_refused", request, ABSENT)


def names(
    wire: Wire, operation: Operation, target: Target, chance: random.Random
) -> Iterator[Probe]:
    """Task names that are nearly right, and right ones that are no task's."""
    group = f"names: {operation.verb}"
    for what, value in wrong_names(target.task_name).items():
        # Half of a surrogate pair is sent as JSON's escape: there are no bytes for it.
        for escaped in (True, False):
            text = json.dumps({"task_name": value}, ensure_ascii=escaped)
            body = text.encode("utf-8", "surrogatepass")
            if escaped or not text.isascii():
                request = wire.request(operation, body=body)
                shown = what if escaped else f"{what}, not escaped"
                yield Probe(group, shown, "invalid_accepted", request, MALFORMED)
    further = json.dumps({"task_name": target.task_name + "-", "note": target.task_name})
    request = wire.request(operation, body=further.encode())
    yield Probe(group, "wrong name, right note", "invalid_accepted", request, MALFORMED)
    random_name = f"{UNKNOWN_TASK}_{chance.getrandbits(64):x}"
    absent = {
        "a task that is not there": random_name,
        "a name of 128 characters": (random_name * 9)[:128],
        "a name that begins like the task's": f"{target.task_name}_{UNKNOWN_TASK}"[-128:],
        "a name of digits": f"{chance.randrange(10**29, 10**30)}",
    }
    for what, name in absent.items():
        request = wire.request(operation, task_name=name)
        yield Probe(group, what, "unknown_is_refused", request, ABSENT)


def bodies(wire: Wire, operation: Operation, target: Target) -> Iterator[Probe]:
    """Bodies that are not what is asked for."""
    group, name = f"bodies: {operation.verb}", target.task_name
    text = json.dumps({"task_name": name})
    wrong: dict[str, bytes] = {
        "none": b"",
        "space": b" ",
        "null": b"null",
        "empty object": b"{}",
        "empty list": b"[]",
        "list of the object": f"[{text}]".encode(),
        "text": json.dumps(name).encode(),
        "the object as a text": json.dumps(text).encode(),
        "number": b"1",
        "true": b"true",
        "cut off": text[:-1].encode(),
        "cut off inside the name": text[:-4].encode(),
        "something behind": f"{text}x".encode(),
        "two objects": f"{text}{text}".encode(),
        "single quotes": f"{{'task_name': '{name}'}}".encode(),
        "key without quotes": f'{{task_name: "{name}"}}'.encode(),
        "a form": f"task_name={name}".encode(),
        "XML": f"<task_name>{name}</task_name>".encode(),
        "another key": json.dumps({"name": name}).encode(),
        "key in camel case": json.dumps({"taskName": name}).encode(),
        "key in capitals": json.dumps({"TASK_NAME": name}).encode(),
        "key with a space": json.dumps({"task_name ": name}).encode(),
        "one level down": json.dumps({"body": {"task_name": name}}).encode(),
        "not UTF-8": text.encode().replace(b"task_name", b"task_name", 1)[:-2] + b'\xff"}',
        "not UTF-8 in another property": text[:-1].encode() + b', "note": "\xff\xfe"}',
        "Latin-1": text[:-2].encode() + b'\xe9"}',
        "NUL at the front": b"\0" + text.encode(),
        "a control character in the name": f'{{"task_name": "{name}\x01"}}'.encode(),
        "deep nesting for the name": f'{{"task_name": {"[" * 2000}{"]" * 2000}}}'.encode(),
        "deep nesting that never ends": b'{"task_name": ' + b"[" * 20_000,
        "deep objects that never end": b'{"a":' * 9_000,
        "deep nesting for the body": b"[" * 20_000 + b"]" * 20_000,
        "a very long number": b'{"task_name": ' + b"9" * 20_000 + b"}",
    }
    for what, body in wrong.items():
        request = wire.request(operation, body=body)
        yield Probe(group, what, "negative_data_rejection", request, MALFORMED)
    # A parser may take more than JSON has, and the contract allows further properties: whether
    # these are accepted is open. That they are answered, and not by a failure, is not.
    open_ones: dict[str, bytes] = {
        "key twice": f'{{"task_name": "{name}", "task_name": "{name}"}}'.encode(),
        "key twice, first wrong": f'{{"task_name": "{name}-", "task_name": "{name}"}}'.encode(),
        "key twice, last wrong": f'{{"task_name": "{name}", "task_name": "{name}-"}}'.encode(),
        "NaN beside it": text[:-1].encode() + b', "x": NaN}',
        "Infinity beside it": text[:-1].encode() + b', "x": -Infinity}',
        "comma at the end": text[:-1].encode() + b",}",
        "byte order mark": b"\xef\xbb\xbf" + text.encode(),
        "UTF-16": text.encode("utf-16"),
        "UTF-32": text.encode("utf-32"),
        "deep nesting beside it": f'{text[:-1]}, "x": {"[" * 9000}{"]" * 9000}}}'.encode(),
        "deep objects beside it": text[:-1].encode()
        + b', "x": '
        + b'{"a":' * 5000
        + b"1"
        + b"}" * 5001,
        "lone surrogate beside it": text[:-1].encode() + b', "x": "\\ud800"}',
        "NUL beside it": text[:-1].encode() + b', "x": "\\u0000", "\\u0000": 1}',
        "a very long number beside it": text[:-1].encode() + b', "x": ' + b"9" * 6_000 + b"}",
        "a huge exponent beside it": text[:-1].encode() + b', "x": 1e999999}',
        "thousands of properties": json.dumps(
            {"task_name": name, **{f"p{number}": number for number in range(3000)}}
        ).encode(),
        "a property called __proto__": json.dumps(
            {"task_name": name, "__proto__": {"a": 1}}
        ).encode(),
    }
    for what, body in open_ones.items():
        request = wire.request(operation, body=body)
        yield Probe(group, what, "negative_data_rejection", request, EITHER)


def content_types(wire: Wire, operation: Operation, target: Target) -> Iterator[Probe]:
    """A right body that is said to be something else is refused."""
    group, check = f"content types: {operation.verb}", "content_type_is_checked"
    for kind in (
        "text/plain",
        "text/html",
        "text/plain; charset=utf-8",
        "application/xml",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/javascript",
        "application/x-ndjson",
        "application/yaml",
        "image/png",
        "xapplication/json",
    ):
        request = wire.request(operation, headers=[("Content-Type", kind)])
        yield Probe(group, kind, check, request, ANOTHER_TYPE)
    form = f"task_name={target.task_name}".encode()
    kind = "application/x-www-form-urlencoded"
    request = wire.request(operation, headers=[("Content-Type", kind)], body=form)
    yield Probe(group, "a form", check, request, ANOTHER_TYPE)
    disposition = 'Content-Disposition: form-data; name="task_name"'
    part = f"--x\r\n{disposition}\r\n\r\n{target.task_name}\r\n--x--\r\n"
    kind = "multipart/form-data; boundary=x"
    request = wire.request(operation, headers=[("Content-Type", kind)], body=part.encode())
    yield Probe(group, "a form in parts", check, request, ANOTHER_TYPE)
    # HTTP lets a server guess when no type is given; types that end in +json are JSON, and
    # frameworks take them for it; a charset has no meaning for JSON; a type that is nonsense is as
    # good as none.
    for kind in (
        "application/problem+json",
        "application/vnd.api+json",
        'application/json; charset="utf-8"',
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json; charset=nonsense",
        "application/json; version=1",
        "APPLICATION/JSON",
        "application/json, text/plain",
        "application/json;",
        "text/json",
        "*/*",
        "application",
        "",
        ";;;",
    ):
        request = wire.request(operation, headers=[("Content-Type", kind)])
        yield Probe(group, f"{kind!r}", check, request, EITHER_TYPE)
    request = wire.request(operation, without=["Content-Type"])
    yield Probe(group, "no type", check, request, EITHER_TYPE)


def sizes(wire: Wire, operation: Operation, target: Target) -> Iterator[Probe]:
    """Large bodies: a server may refuse them, or hang up, but not fail."""
    group, check = f"sizes: {operation.verb}", "negative_data_rejection"
    name = target.task_name
    padded = json.dumps({"task_name": name}).encode() + b" " * (1 << 20)
    yield Probe(
        group,
        "a megabyte of spaces",
        check,
        wire.request(operation, body=padded),
        TOO_LONG_OR_FINE,
        True,
    )
    note = json.dumps({"task_name": name, "note": "x" * (1 << 20)}).encode()
    yield Probe(
        group,
        "a megabyte beside it",
        check,
        wire.request(operation, body=note),
        TOO_LONG_OR_FINE,
        True,
    )
    long_name = json.dumps({"task_name": name + "x" * (3 << 20)}).encode()
    request = wire.request(operation, body=long_name)
    yield Probe(group, "a name of three megabytes", "invalid_accepted", request, TOO_LONG, True)
    request = wire.request(operation, headers=[("X-Note", "x" * 40_000)])
    yield Probe(group, "a header of 40 kB", check, request, TOO_LONG | ACCEPTED, True)
    request = wire.request(operation, query="x=" + "y" * 20_000)
    yield Probe(group, "a query of 20 kB", check, request, TOO_LONG | ACCEPTED, True)


def limits(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """`limit` is 1 to 100, `offset` is not negative; both are whole numbers."""
    group = "limits: list"
    for query in (
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=abc",
        "limit=1.5",
        "limit=99999999999999999999",
        "limit=true",
        "limit=null",
        "limit=0x10",
        "limit=1%27",
        "limit=1%00",
        "limit=%E4%B8%80",
        "offset=-1",
        "offset=abc",
        "offset=1.5",
        "offset=null",
        "offset=99999999999999999999",
        "offset=2147483648",
        "limit=10&offset=-5",
        "limit=0&offset=0",
    ):
        request = wire.request(operation, query=query)
        yield Probe(group, query, "negative_data_rejection", request, MALFORMED)
    # How a number is read out of a text is open; that it is answered is not.
    for query in (
        "limit=",
        "offset=",
        "limit=1&limit=2",
        "limit=%2B1",
        "limit=%201",
        "limit=01",
        "limit=1_0",
        "limit=%D9%A3",
        "limit=1e1",
        "limit=1.0",
        "limit[]=1",
        "LIMIT=1",
        "limit=1;offset=0",
        "x=1",
        "&&&",
        "limit",
        "%FF=1",
        "limit=1&%00=1",
    ):
        request = wire.request(operation, query=query)
        yield Probe(group, query, "negative_data_rejection", request, EITHER)
