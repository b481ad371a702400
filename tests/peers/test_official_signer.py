"""Our signature against the vendor's own signer, request by request.

Where the two differ by nature, and what is done about it here:

- The official signer starts from the query's pairs and then writes the query that its client
  sends. Ours starts from what is sent, so the pairs for the official one are read back from that
  by the standard library.
- It signs every header that it is given; ours signs the few that nothing on the way changes. So
  it is given those.
- It leaves a header with an underscore unsigned, and takes a body that is not JSON as
  ``UNSIGNED-PAYLOAD``. This service has neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from official_peer import Official
from recording_service import Received, RecordingService, Reply
from taurusdb_starrocks import AccessKeyAuth, Client
from taurusdb_starrocks._credentials.signature import sign

PROJECT = "0483b6b16e954cb88930a360d2c4e663"
INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
OURS = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# The two vectors, whose figures are known.
VPCS = (
    "QTWAOYTTINDUT2QVKYUC",
    "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
    "GET",
    "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
    {
        "content-type": "application/json",
        "host": "service.region.example.com",
        "x-sdk-date": "20191115T033655Z",
    },
    b"",
)
PAUSE = (
    "AKIDEXAMPLE",
    "SKEXAMPLE",
    "POST",
    f"/v3/{PROJECT}/instances/{INSTANCE}/starrocks/databases/replication/pause",
    {
        "content-type": "application/json;charset=UTF-8",
        "host": "gaussdb.cn-north-4.myhuaweicloud.com",
        "user-agent": "ua",
        "x-language": "en-us",
        "x-project-id": PROJECT,
        "x-sdk-date": "20250101T000000Z",
    },
    b'{"task_name": "task_name"}',
)


def ours(
    access_key: str, secret_key: str, method: str, target: str, headers: dict[str, str], body: bytes
) -> str:
    signed, signature = sign(
        secret_key, method, target, headers.items(), body, headers["x-sdk-date"]
    )
    return f"SDK-HMAC-SHA256 Access={access_key}, SignedHeaders={signed}, Signature={signature}"


@pytest.mark.parametrize(
    ("request_", "signature"),
    [
        (VPCS, "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"),
        (PAUSE, "cb58331d6d7a8f0205dfdca4038d8baf804f2b2f1e971fbee53b90663184b881"),
    ],
)
def test_vectors(official: Official, request_: Any, signature: str) -> None:
    """Both signers give the two signatures that are known."""
    names = ";".join(request_[4])
    header = f"SDK-HMAC-SHA256 Access={request_[0]}, SignedHeaders={names}, Signature={signature}"
    assert ours(*request_) == header
    assert official.sign(*request_)["authorization"] == header


def test_canonical_request(official: Official) -> None:
    """The official signer makes the canonical request whose hash the vendor publishes."""
    published = "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a"
    assert official.sign(*VPCS)["canonical_sha256"] == published


printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
# Pieces, not characters: one choice each, which keeps thousands of requests quick to make.
escapes = [f"%{byte:{case}}" for byte in range(256) for case in ("02X", "02x")]
foreign = ["".join(f"%{byte:02X}" for byte in one.encode()) for one in "äß€名前Ж𝄞\u0301"]
plain = list("abyzABYZ0189-_.~!$'()*,:@%")
in_path = st.sampled_from(plain) | st.sampled_from(["/", "//", "..", *"&+;=", *foreign, *escapes])
in_query = st.sampled_from([*plain, *"&&==+"]) | st.sampled_from(["/", "?", *foreign, *escapes])
paths = st.lists(in_path, max_size=15).map(lambda parts: "/" + "".join(parts))
queries = st.lists(in_query, max_size=15).map("".join)
targets = st.tuples(paths, queries).map(lambda both: "?".join(both) if both[1] else both[0])
bodies = (
    st.just(b"")
    | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.binary(max_size=60)
)
dates = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.strftime("%Y%m%dT%H%M%SZ")
)
values = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=30
)
spaced = st.tuples(st.sampled_from(["", " ", "  "]), values, st.sampled_from(["", " ", "\t"])).map(
    "".join
)
names = st.from_regex(r"x-[a-z0-9-]{1,12}", fullmatch=True).filter(
    lambda name: name not in {"x-sdk-date", "x-sdk-content-sha256", "x-security-token"}
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, str, str, dict[str, str], bytes]:
    """Anything that can be signed, as it is on the wire, with the keys."""
    headers = draw(st.dictionaries(names, spaced, max_size=3))
    headers |= {"host": draw(st.sampled_from(["gaussdb.example.com", "127.0.0.1:8080"]))}
    headers |= {"x-sdk-date": draw(dates)}
    if draw(st.booleans()):
        headers["content-type"] = draw(
            st.sampled_from(["application/json", "application/json;charset=UTF-8"])
        )
    if draw(st.booleans()):
        headers["x-security-token"] = draw(printable)
    method = draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]))
    return draw(printable), draw(printable), method, draw(targets), headers, draw(bodies)


@settings(OURS, max_examples=3000)
@given(request=requests())
@example(request=VPCS)
@example(request=PAUSE)
@example(request=(*VPCS[:3], "/an%2Fencoded/slash%e9", *VPCS[4:]))
def test_same_signature(official: Official, request: Any) -> None:
    """For any request at all, ours is the signature that the official signer makes."""
    assert ours(*request) == official.sign(*request)["authorization"]


def as_sent(official: Official, access_key: str, secret_key: str, received: Any) -> str:
    """The official header for a request that was sent, from the headers that it says it signs."""
    _, _, said = received.headers["Authorization"].partition("SignedHeaders=")
    signed = said.partition(",")[0].split(";")
    headers = {name: received.headers[name] for name in signed}
    header: str = official.sign(
        access_key, secret_key, received.method, received.target, headers, received.body
    )["authorization"]
    return header


@settings(OURS, max_examples=500)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    path=st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="?#"), max_size=20
    ),
    params=st.lists(st.tuples(values, values), max_size=4),
    document=st.none() | st.dictionaries(values, values | st.integers(), max_size=3),
    keys=st.tuples(printable, printable, st.none() | printable),
    now=st.floats(0, 4e9),
)
@example(method="GET", path="..", params=[], document=None, keys=("ak", "sk", None), now=0)
def test_what_is_sent_by_hand(
    official: Official,
    method: str,
    path: str,
    params: Any,
    document: Any,
    keys: tuple[str, str, str | None],
    now: float,
) -> None:
    """Whatever path, query and body are sent through ``api``, just that is signed."""
    sent: list[Received] = []

    def keep(request: httpx.Request) -> httpx.Response:
        target = request.url.raw_path.decode()
        sent.append(Received(request.method, target, request.headers, request.content))  # type: ignore[arg-type]
        return httpx.Response(200, json={})

    with Client(
        endpoint="https://gaussdb.example.com",
        project_id=PROJECT,
        auth=AccessKeyAuth(*keys, clock=lambda: now),
        transport=httpx.MockTransport(keep),
        environ={},
    ) as client:
        url = httpx.URL("https://gaussdb.example.com/").copy_with(path=f"/v3/{PROJECT}/{path}")
        by_hand = client.api.get_httpx_client()
        by_hand.request(method, url, params=params or None, json=document)
    [received] = sent
    # httpx takes "/.." away before it sends, and the project with it.
    project_id = PROJECT if received.target.startswith(f"/v3/{PROJECT}/") else None
    assert received.headers.get("X-Project-Id") == project_id
    date = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    assert received.headers["X-Sdk-Date"] == date
    assert received.headers["Authorization"] == as_sent(official, keys[0], keys[1], received)


@pytest.fixture
def service() -> Iterator[RecordingService]:
    def answer(received: Received) -> Reply:
        body = '{"job_id": "1"}' if received.method == "POST" else '{"replications": []}'
        return Reply(200, body)

    with RecordingService(answer) as running:
        yield running


@pytest.mark.parametrize("token", [None, "temporary-security-token"])
def test_on_the_wire(
    official: Official, service: RecordingService, open_client: Any, token: str | None
) -> None:
    """What a server receives from either client carries the official signature of just that."""
    auth = AccessKeyAuth("AKIDEXAMPLE", "SKEXAMPLE", token)
    settings_ = {"endpoint": service.url, "project_id": PROJECT, "trust_env": False, "environ": {}}
    with open_client(auth=auth, **settings_) as client:
        client.pause(INSTANCE, "orders_sync")
        client.resume(INSTANCE, "orders_sync")
        list(client.tasks(INSTANCE))
    assert [received.method for received in service.received] == ["POST", "POST", "GET"]
    assert re.search(r"\?limit=\d+&offset=0$", service.received[2].target)
    for received in service.received:
        assert received.headers["X-Security-Token"] == token
        header = as_sent(official, "AKIDEXAMPLE", "SKEXAMPLE", received)
        assert received.headers["Authorization"] == header
        assert ("x-security-token" in header) == (token is not None)
        assert "host;x-project-id;" in header
