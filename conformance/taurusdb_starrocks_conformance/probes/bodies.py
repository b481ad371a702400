"""Bodies: task names, and documents that do not match the contract."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from taurusdb_starrocks_conformance.contract import Operation
from taurusdb_starrocks_conformance.exchange import UNKNOWN_TASK
from taurusdb_starrocks_conformance.near_misses import other_names, wrong_names
from taurusdb_starrocks_conformance.wire import Wire

from .probe import ABSENT, ACCEPTED, ANOTHER_TYPE, EITHER, FAILED, MALFORMED, Probe, probe


def names(
    wire: Wire, operation: Operation, chance: random.Random, taken: frozenset[str] | None
) -> Iterator[Probe]:
    """Task names that are almost correct, and valid names that no task has."""
    own = wire.target.task_name
    for what, value in wrong_names(own).items():
        # Half of a surrogate pair is sent as a JSON escape, because it has no bytes.
        for escaped in (True, False):
            text = json.dumps({"task_name": value}, ensure_ascii=escaped)
            body = text.encode("utf-8", "surrogatepass")
            if escaped or not text.isascii():
                request = wire.request(operation, body=body)
                shown = what if escaped else f"{what}, not escaped"
                # Half of a pair is not valid UTF-8.
                broken = not escaped and "surrogate" in what
                check = "negative_data_rejection" if broken else "invalid_accepted"
                yield probe(check, shown, request, MALFORMED)
    further = json.dumps({"task_name": own + "-", "note": own})
    request = wire.request(operation, body=further.encode())
    yield probe("invalid_accepted", "wrong name, right note", request, MALFORMED)
    random_name = f"{UNKNOWN_TASK}_{chance.getrandbits(64):x}"
    absent = {
        "a task that does not exist": random_name,
        "a name of 128 characters": (random_name * 9)[:128],
        "a name that begins like the task's": f"{own}_{UNKNOWN_TASK}"[-128:],
        "a name of digits": f"{chance.randrange(10**29, 10**30)}",
    }
    for what, name in absent.items():
        request = wire.request(operation, task_name=name)
        yield probe("unknown_is_refused", what, request, ABSENT)
    for what, name in other_names(own).items():
        # If the tasks are unknown, a task could have this name.
        if taken is not None and name not in taken:
            request = wire.request(operation, task_name=name)
            yield probe("unknown_is_refused", what, request, ABSENT)


def bodies(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """Bodies that do not match the contract."""
    name = wire.target.task_name
    text = json.dumps({"task_name": name})
    wrong: dict[str, bytes] = {
        "no body": b"",
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
        "key in uppercase": json.dumps({"TASK_NAME": name}).encode(),
        "key with a space": json.dumps({"task_name ": name}).encode(),
        "one level down": json.dumps({"body": {"task_name": name}}).encode(),
        "not UTF-8": text.encode().replace(b"task_name", b"task_name", 1)[:-2] + b'\xff"}',
        "not UTF-8 in another property": text[:-1].encode() + b', "note": "\xff\xfe"}',
        "Latin-1": text[:-2].encode() + b'\xe9"}',
        "NUL at the front": b"\0" + text.encode(),
        "a control character in the name": f'{{"task_name": "{name}\x01"}}'.encode(),
        "a very long number": b'{"task_name": ' + b"9" * 20_000 + b"}",
    }
    for what, body in wrong.items():
        request = wire.request(operation, body=body)
        yield probe("negative_data_rejection", what, request, MALFORMED)
    # A parser may accept more than JSON, and the contract allows additional properties. So these
    # may be accepted or not. But there must be a response, and it must not be a failure.
    open_ones: dict[str, bytes] = {
        "key twice": f'{{"task_name": "{name}", "task_name": "{name}"}}'.encode(),
        "key twice, first wrong": f'{{"task_name": "{name}-", "task_name": "{name}"}}'.encode(),
        "key twice, last wrong": f'{{"task_name": "{name}", "task_name": "{name}-"}}'.encode(),
        "NaN beside it": text[:-1].encode() + b', "x": NaN}',
        "Infinity beside it": text[:-1].encode() + b', "x": -Infinity}',
        "comma at the end": text[:-1].encode() + b",}",
        "byte order mark": b"\xef\xbb\xbf" + text.encode(),
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
        yield probe("negative_data_rejection", what, request, EITHER)
    # Recursive parsers fail at some depth, and frameworks then return 500 on their own.
    front = text[:-1].encode() + b', "x": '
    deep: dict[str, tuple[bytes, frozenset[int]]] = {
        "for the name": (b'{"task_name": ' + b"[" * 2000 + b"]" * 2000 + b"}", MALFORMED),
        "that never ends": (b'{"task_name": ' + b"[" * 20_000, MALFORMED),
        "of objects that never ends": (b'{"a":' * 9_000, MALFORMED),
        "for the body": (b"[" * 20_000 + b"]" * 20_000, MALFORMED),
        "beside it": (front + b"[" * 9000 + b"]" * 9000 + b"}", EITHER),
        "of objects beside it": (front + b'{"a":' * 5000 + b"1" + b"}" * 5001, EITHER),
    }
    check = "negative_data_rejection"
    for depth, (body, allowed) in deep.items():
        request = wire.request(operation, body=body)
        what, slip = f"deep nesting {depth}", "deep nesting"
        yield probe(check, what, request, allowed, tolerated=FAILED, slip=slip)
    # RFC 8259 requires UTF-8 between programs, but Python's parser also reads these.
    for encoding in ("UTF-16", "UTF-32"):
        request = wire.request(operation, body=text.encode(encoding))
        what, slip = f"JSON in {encoding}", "JSON that is not in UTF-8"
        yield probe(check, what, request, ANOTHER_TYPE, tolerated=ACCEPTED, slip=slip)
