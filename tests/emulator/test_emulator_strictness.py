"""What is malformed is refused: a table, written by hand."""

import json

import httpx
import pytest
from emulator_calls import call_bytes, path_of, raw
from taurusdb_starrocks_emulator import Emulator

OK = b'{"task_name":"orders_sync"}'
BODIES = {
    "nothing": b"",
    "no JSON": b"task_name=orders_sync",
    "cut short": b'{"task_name":"orders_sync"',
    "something after it": b'{"task_name":"orders_sync"}{}',
    "a comma too much": b'{"task_name":"orders_sync",}',
    "single quotes": b"{'task_name':'orders_sync'}",
    "a comment": b'{"task_name":"orders_sync"}//',
    "null": b"null",
    "a list": b'["orders_sync"]',
    "a text": b'"orders_sync"',
    "a number": b"1",
    "no name": b"{}",
    "another key": b'{"taskName":"orders_sync"}',
    "name null": b'{"task_name":null}',
    "name a number": b'{"task_name":123}',
    "name a list": b'{"task_name":["orders_sync"]}',
    "name true": b'{"task_name":true}',
    "name empty": b'{"task_name":""}',
    "name too short": b'{"task_name":"ab"}',
    "name too long": b'{"task_name":"' + b"a" * 129 + b'"}',
    "name with a dash": b'{"task_name":"orders-sync"}',
    "name with a dot": b'{"task_name":"orders.sync"}',
    "name with a space": b'{"task_name":"orders sync"}',
    "name with a newline at its end": b'{"task_name":"orders_sync\\n"}',
    "name with a newline at its start": b'{"task_name":"\\norders_sync"}',
    "name with a zero byte": b'{"task_name":"orders_sync\\u0000"}',
    "name in other letters": '{"task_name":"órders_sync"}'.encode(),
    "name in wide letters": '{"task_name":"\uff4f\uff52\uff44"}'.encode(),
    "name with other digits": '{"task_name":"orders_٣"}'.encode(),
    "half a surrogate pair": b'{"task_name":"orders_sync","x":"\\ud800"}',
    "name half a surrogate pair": b'{"task_name":"\\ud800\\ud800\\ud800"}',
    "name twice": b'{"task_name":"billing_sync","task_name":"orders_sync"}',
    "a key twice further in": b'{"task_name":"orders_sync","x":{"a":1,"a":2}}',
    "NaN": b'{"task_name":"orders_sync","x":NaN}',
    "Infinity": b'{"task_name":"orders_sync","x":-Infinity}',
    "a number without end": b'{"task_name":"orders_sync","x":' + b"9" * 5000 + b"}",
    "latin-1": '{"task_name":"orders_sync","x":"é"}'.encode("latin-1"),
    "UTF-16": '{"task_name":"orders_sync"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"task_name":"orders_sync"}'.encode("utf-16-le"),
    "UTF-32": '{"task_name":"orders_sync"}'.encode("utf-32"),
    "a byte order mark": b"\xef\xbb\xbf" + OK,
    "deep": b'{"task_name":"orders_sync","x":' + b"[" * 30000 + b"]" * 30000 + b"}",
    "deep and open": b"[" * 60000,
    "deep objects": b'{"a":' * 10000 + b"1" + b"}" * 10000,
    "too long": OK + b" " * 70000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_malformed_body_is_refused(emulator: Emulator, client: httpx.Client, body: bytes) -> None:
    """400 `DBS.280001`, and nothing has changed."""
    answer = client.post(
        path_of(emulator, "pause"), content=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["error_code"]) == (400, "DBS.280001")
    assert not any(task.changes for task in emulator.tasks())
    assert emulator.journal()[-1].status == 400


@pytest.mark.parametrize(
    "depth", [10, 400, 600, 700, 800, 850, 900, 920, 940, 960, 980, 1000, 1500]
)
def test_no_depth_makes_it_fall(emulator: Emulator, client: httpx.Client, depth: int) -> None:
    """Whether it is too deep or not, the answer is a 200 or a 400."""
    body = b'{"task_name":"orders_sync","x":' + b"[" * depth + b"]" * depth + b"}"
    answer = client.post(
        path_of(emulator, "pause"), content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (200, 400)


@pytest.mark.parametrize(
    "body",
    [
        OK,
        b'\r\n\t {"task_name" : "orders_sync"} \n',
        b'{"task_name":"orders\\u005fsync"}',
        b'{"task_name":"orders_sync","unknown":{"a":[1.5e3,null,"\\ud83d\\ude00"]}}',
        OK + b" " * (65536 - len(OK)),
    ],
)
def test_all_of_json_is_accepted(emulator: Emulator, client: httpx.Client, body: bytes) -> None:
    """White space, escapes, unknown keys, and a body of exactly 64 KiB."""
    answer = client.post(
        path_of(emulator, "pause"), content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["abc", "A_1", "___", "1" * 128])
def test_the_ends_of_the_rule_for_names_are_accepted(
    emulator: Emulator, client: httpx.Client, name: str
) -> None:
    """A well-formed name passes; here the task is simply not there."""
    answer = client.post(path_of(emulator, "pause"), json={"task_name": name})
    assert answer.json()["error_code"] == "DBS.05000091"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=UTF-8",
        "application/json; charset=utf-8",
        'application/json; charset="utf-8"',
        "application/json;charset=utf8",
    ],
)
def test_json_in_utf_8_is_accepted(
    emulator: Emulator, client: httpx.Client, content_type: str | None
) -> None:
    """With or without the encoding, in any case."""
    answer = client.post(
        path_of(emulator, "pause"), content=OK, headers={"Content-Type": content_type}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        None, "", "text/plain", "text/json", "application/x-www-form-urlencoded", "*/*",
        "application/json5", "application/jsonx", "application/vnd.api+json", "multipart/form-data",
        "application/json; charset=latin-1", "application/json; charset=utf-16",
        "application/json; charset=", "application/json;", "application/json; boundary=x",
        "application/json, application/json", "application/octet-stream", "json",
    ],
)  # fmt: skip
def test_any_other_content_type_is_refused(
    emulator: Emulator, client: httpx.Client, content_type: str | None
) -> None:
    """400, however good the body."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = client.post(path_of(emulator, "pause"), content=OK, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "DBS.280001")


def test_two_content_types_are_none(emulator: Emulator) -> None:
    """The header twice is refused, even if both are right."""
    received = raw(emulator, call_bytes(emulator, headers=["Content-Type: application/json"]))
    assert received.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("language", ["en-us", "zh-cn", None])
def test_the_languages_of_the_contract_are_accepted(
    emulator: Emulator, client: httpx.Client, language: str | None
) -> None:
    """Either, or none."""
    headers = {} if language is None else {"X-Language": language}
    assert client.get(path_of(emulator), headers=headers).status_code == 200


@pytest.mark.parametrize("language", ["", "en", "EN-US", "en-US", "de-de", "en-us,zh-cn"])
def test_another_language_is_refused(
    emulator: Emulator, client: httpx.Client, language: str | None
) -> None:
    """400, on every operation."""
    headers = {"X-Language": language}
    for answer in (
        client.get(path_of(emulator), headers=headers),
        client.post(path_of(emulator, "pause"), content=OK, headers=headers),
    ):
        assert (answer.status_code, answer.json()["error_code"]) == (400, "DBS.280001")


PROJECT, INSTANCE = "0483b6b16e954cb88930a360d2c4e663", "9ac58f9b88744f8a87893d22f6ef9a28in17"


@pytest.mark.parametrize(
    ("project_id", "instance_id"),
    [
        (PROJECT, ".."), (PROJECT, "%2e%2e"), (PROJECT, "."), (PROJECT, ""), ("", INSTANCE),
        ("..", INSTANCE), (PROJECT, INSTANCE + "%0a"), (PROJECT, INSTANCE + "%00"),
        (PROJECT, "%00" + INSTANCE), (PROJECT + "%0a", INSTANCE), (PROJECT + "%0A", INSTANCE),
        (PROJECT + "%00", INSTANCE), (PROJECT, INSTANCE + "%2F"), (PROJECT, "%2F" + INSTANCE),
        (PROJECT, INSTANCE + "/."), (PROJECT, "./" + INSTANCE), (PROJECT, "x/../" + INSTANCE),
        (PROJECT, INSTANCE + "%20"), (PROJECT, INSTANCE + ";x=1"), (PROJECT, INSTANCE[:-1]),
        (PROJECT, INSTANCE + "7"), (PROJECT, INSTANCE.upper()), (PROJECT, "{instance_id}"),
        (PROJECT, "%7Binstance_id%7D"), (PROJECT, INSTANCE[:-4]), (PROJECT, "%FF%FE" + INSTANCE),
        (PROJECT, "%D9%A3" + INSTANCE[1:]), (PROJECT[:-1], INSTANCE), (PROJECT + "0", INSTANCE),
        (PROJECT[:-1] + "-", INSTANCE), (PROJECT, INSTANCE + "%25"), (PROJECT, INSTANCE + "%"),
    ],
)  # fmt: skip
def test_a_malformed_path_never_succeeds(
    emulator: Emulator, project_id: str, instance_id: str
) -> None:
    """Nothing but the IDs themselves leads to a task, however they are encoded."""
    for rest in ("/pause", "/resume", ""):
        path = f"/v3/{project_id}/instances/{instance_id}/starrocks/databases/replication{rest}"
        method = "POST" if rest else "GET"
        data = call_bytes(emulator).split(b"\r\n", 1)[1]
        received = raw(emulator, f"{method} {path} HTTP/1.1\r\n".encode() + data)
        assert received.split(b" ")[1] in (b"400", b"404", b"405")
        assert b"\r\nx-request-id: " in received.lower()
        json.loads(received.split(b"\r\n\r\n", 1)[1])
    assert not any(task.changes for task in emulator.tasks())


@pytest.mark.parametrize(
    "path",
    [
        "/v3/{project}/instances/{instance}/starrocks/databases/replication/%70ause",
        "/v3/{project}/instances/{instance}/starrocks/databases/replication%2Fpause",
        "/v3/{project}/instances/{instance}/starrocks/databases//replication/pause",
        "/v3/{project}/instances/{instance}/starrocks/databases/replication/pause/",
        "/v3/{project}/instances/{instance}/starrocks/databases/x/../replication/pause",
        "//v3/{project}/instances/{instance}/starrocks/databases/replication/pause",
        "/V3/{project}/instances/{instance}/starrocks/databases/replication/pause",
        "/v3/{project}/instances/{instance}/starrocks/databases/replication/pause%0a",
        "/v3/{project}%2Finstances/{instance}/starrocks/databases/replication/pause",
        "*",
    ],
)
def test_a_path_that_is_almost_right_is_not_found(emulator: Emulator, path: str) -> None:
    """404 in the gateway's shape."""
    path = path.format(project=PROJECT, instance=INSTANCE)
    data = call_bytes(emulator).split(b"\r\n", 1)[1]
    received = raw(emulator, f"POST {path} HTTP/1.1\r\n".encode() + data)
    assert received.startswith(b"HTTP/1.1 404 ")
    assert b"APIGW.0101" in received


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_not_http_is_told_so(emulator: Emulator, data: bytes) -> None:
    """A 400 in the shape of all other answers, and the connection ends."""
    received = raw(emulator, data)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert json.loads(received.split(b"\r\n\r\n", 1)[1])["error_code"] == "DBS.280001"
    assert b"x-request-id: " in received


def test_a_long_body_is_not_kept(emulator: Emulator, client: httpx.Client) -> None:
    """A body of 8 MB without a length is refused, and the connection goes on."""
    chunks = (b" " * 65536 for _ in range(128))
    answer = client.post(
        path_of(emulator, "pause"), content=chunks, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert client.get(path_of(emulator)).status_code == 200
