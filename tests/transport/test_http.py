"""HTTP/1.1 without a network: what is a response, where it ends, and what is none."""

from __future__ import annotations

import gzip
import zlib

import pytest
from taurusdb_starrocks._messages import Reply
from taurusdb_starrocks._transport.body import LARGEST_BODY
from taurusdb_starrocks._transport.failures import Fault
from taurusdb_starrocks._transport.http1 import Conversation

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"
SECRET = "t0ken-of-the-tests"


def asking(method: str = "POST") -> Conversation:
    """A conversation in which a request has just been sent."""
    http = Conversation()
    http.ask(method, "/v3", [("Host", "service.example")])
    return http


def heard(data: bytes, *, method: str = "POST", step: int = 1_000_000) -> tuple[Reply, bool]:
    """The response in some bytes, received in steps, and whether the connection may be kept."""
    http = asking(method)
    for at in range(0, len(data), step):
        reply = http.hear(data[at : at + step])
        if reply is not None:
            return reply, http.reusable
    reply = http.hear(b"")
    assert reply is not None
    return reply, http.reusable


def test_request_is_one_piece() -> None:
    """Head and body are sent together, as they were given."""
    headers = [("Host", "h"), ("X-A", "b"), ("Content-Length", "4")]
    sent = Conversation().ask("POST", "/v3?a=b", headers, b"body")
    assert sent == (b"POST /v3?a=b HTTP/1.1\r\nHost: h\r\nX-A: b\r\nContent-Length: 4\r\n\r\nbody")


@pytest.mark.parametrize("step", [1, 7, 1_000_000])
@pytest.mark.parametrize(
    ("method", "data", "body", "kept"),
    [
        ("POST", OK + b"Content-Length: 4\r\n\r\nbody", b"body", True),
        ("POST", EMPTY, b"", True),
        ("POST", CHUNKED + b"4\r\nbody\r\n0\r\n\r\n", b"body", True),
        ("POST", CHUNKED + b"2;x=y\r\nbo\r\n2\r\ndy\r\n0\r\nA: b\r\n\r\n",
         b"body", True),
        ("POST", OK + b"\r\nbody", b"body", False),
        ("POST", OK + b"Connection: close\r\nContent-Length: 4\r\n\r\nbody", b"body", False),
        ("POST", b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody", b"body", False),
        ("HEAD", OK + b"Content-Length: 4\r\n\r\n", b"", True),
        ("POST", b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        ("POST", b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + EMPTY, b"", True),
        ("POST", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + EMPTY,
         b"", True),
        ("POST", OK + b"X-Subject-Token: " + b"x" * 32_768 + b"\r\nContent-Length: 0\r\n\r\n",
         b"", True),
    ],
)  # fmt: skip
def test_responses(method: str, data: bytes, body: bytes, kept: bool, step: int) -> None:
    """A response is the same however its bytes are cut."""
    reply, reusable = heard(data, method=method, step=step)
    assert (reply.body, reply.unread, reusable) == (body, None, kept)


def test_next_request_follows() -> None:
    """One conversation carries many requests."""
    http = Conversation()
    for number in range(3):
        http.ask("POST", "/v3", [("Host", "h"), ("Content-Length", "4")], b"body")
        assert not http.reusable
        reply = http.hear(OK + b"Content-Length: 1\r\n\r\n%d" % number)
        assert reply
        assert (reply.body, http.reusable) == (b"%d" % number, True)


@pytest.mark.parametrize("stray", [b"\r\n", b"x", EMPTY])
def test_bytes_after_a_response(stray: bytes) -> None:
    """A single byte after a response, and the connection is done."""
    reply, reusable = heard(OK + b"Content-Length: 4\r\n\r\nbody" + stray)
    assert (reply.body, reusable) == (b"body", False)


def test_headers() -> None:
    """Names are lower case, repeated ones are joined, and those that no longer fit are gone."""
    reply, _ = heard(
        OK + b"X-Request-Id: a\r\nx-request-id: b\r\n"
        b"Via: caf\xe9\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\nContent-Encoding: identity\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert reply.headers == {"x-request-id": "a, b", "via": "café"}


MALFORMED = "is not HTTP: its status line or a header is malformed"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "closed the connection before a complete response"),
        (OK[:-5], "closed the connection before a complete response"),
        (OK + b"Content-Length: 5\r\n\r\nbody", "closed the connection before a complete response"),
        (CHUNKED + b"4\r\nbody\r\n0\r\n",
         "closed the connection before a complete response"),
        (b"SSH-2.0-%b\r\n\r\n" % SECRET.encode(), MALFORMED),
        (b"\x15\x03\x01\x00\x02\x02\x28", MALFORMED),
        (b"HTTP/1.1 99999 %b\r\n\r\n" % SECRET.encode(), MALFORMED),
        (OK + b"%b\r\n\r\n" % SECRET.encode(), MALFORMED),
        (OK + b"Content-Length: %b\r\n\r\n" % SECRET.encode(), MALFORMED),
        (OK + b"Content-Length: %b\r\n\r\n" % (b"9" * 5000), MALFORMED),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", MALFORMED),
        (OK + b"Transfer-Encoding: gzip\r\n\r\n", MALFORMED),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", MALFORMED),
        (CHUNKED + b"%b\r\n" % SECRET.encode(), "its body is malformed"),
        (CHUNKED + b"1\r\naX%b" % SECRET.encode(), "its body is malformed"),
        (OK + b"X-A: b\r\n" * 20_000, "its headers are too long"),
        (CHUNKED + b"0\r\n" + b"X-A: b\r\n" * 20_000,
         "its headers are too long"),
        (CHUNKED + b"1;" + b"x" * 200_000, "its headers are too long"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 21, "too many informational responses"),
    ],
)  # fmt: skip
def test_no_response(data: bytes, words: str) -> None:
    """What is no response is told apart from an early end, and nothing received is repeated."""
    with pytest.raises(Fault) as caught:
        heard(data, step=65_536)
    assert words in caught.value.what
    assert SECRET not in repr((caught.value, caught.value.__cause__, caught.value.__context__))


@pytest.mark.parametrize(
    ("target", "name", "value"),
    [
        ("/v3", "X-Auth-Token", f"{SECRET}\r\nX-A: b"),
        ("/v3", "X-Auth-Token", f"{SECRET}é"),
        ("/v3", f"X {SECRET}", "b"),
        ("/v3", "Content-Length", "1"),
        (f"/v3 {SECRET}", "X-A", "b"),
        (f"/v3/é{SECRET}", "X-A", "b"),
    ],
)
def test_request_that_is_no_http(target: str, name: str, value: str) -> None:
    """A request that cannot be sent is refused without a word of it."""
    with pytest.raises(Fault, match="its target or a header is malformed") as caught:
        Conversation().ask("POST", target, [("Host", "h"), (name, value)], b"body")
    assert caught.value.lasting
    assert caught.value.__context__ is caught.value.__cause__ is None


def chunked(body: bytes, size: int) -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
    return CHUNKED + b"" + framed


def test_body_up_to_a_megabyte() -> None:
    """A body of exactly the limit is read; one byte more is not, and ends the connection."""
    for data in (b"x" * LARGEST_BODY, b"x" * (LARGEST_BODY + 1)):
        plain = OK + b"Content-Length: %d\r\n\r\n" % len(data) + data
        for sent in (plain, chunked(data, 10_000), OK + b"\r\n" + data):
            reply, reusable = heard(sent, step=65_536)
            whole = len(data) == LARGEST_BODY
            assert reply.body == (data if whole else b"")
            assert reply.unread == (None if whole else "is larger than 1048576 bytes")
            assert reusable == (whole and sent[17:18] != b"\r")


def test_body_of_many_chunks() -> None:
    """A megabyte of tiny chunks would take seconds: it is not read."""
    assert heard(chunked(b"x" * 10_000, 1))[0].body == b"x" * 10_000
    reply, reusable = heard(chunked(b"x" * 10_001, 1))
    assert (reply.body, reply.unread) == (b"", "comes in more than 10000 chunks")
    assert not reusable


DOCUMENT = b'{"job_id": "job-1"}'
PACKED = gzip.compress(DOCUMENT, mtime=0)
LARGE = gzip.compress(bytes(LARGEST_BODY + 1), mtime=0)


@pytest.mark.parametrize("step", [1, 1_000_000])
@pytest.mark.parametrize(
    ("encoding", "body", "unread"),
    [
        ("", DOCUMENT, None),
        ("identity", DOCUMENT, None),
        ("gzip", PACKED, None),
        (" GZip ", PACKED, None),
        ("deflate", zlib.compress(DOCUMENT), None),
        ("gzip", b"", None),
        ("br", DOCUMENT, "has the unknown encoding 'br'"),
        # As it came: a secret is not recognized in another case.
        ("ToKeN", DOCUMENT, "has the unknown encoding 'ToKeN'"),
        ("x" * 100, DOCUMENT, f"has the unknown encoding '{'x' * 40}'"),
        ("gzip\r\nContent-Encoding: gzip", gzip.compress(PACKED, mtime=0),
         "has the unknown encoding 'gzip, gzip'"),
        ("gzip", DOCUMENT, "cannot be decoded"),
        ("gzip", PACKED[:-1], "ends before the end of its encoding"),
        ("gzip", PACKED[:-4] + b"wxyz", "cannot be decoded"),
        ("deflate", zlib.compress(DOCUMENT)[:-1], "ends before the end of its encoding"),
        ("gzip", PACKED + b"more", "has data after the end of its encoding"),
        ("gzip", LARGE, "is larger than 1048576 bytes"),
    ],
)  # fmt: skip
def test_encodings(encoding: str, body: bytes, unread: str | None, step: int) -> None:
    """Nothing packed is asked for; what comes packed is unpacked, or it is said why not."""
    head = f"HTTP/1.1 429 No\r\nContent-Encoding: {encoding}\r\n".encode()
    reply, _ = heard(head + b"Content-Length: %d\r\n\r\n" % len(body) + body, step=step)
    assert (reply.status, reply.unread) == (429, unread)
    assert reply.body == (DOCUMENT if unread is None and body else b"")


def test_connect_ends_with_its_headers() -> None:
    """What follows a tunnel's opening is the tunnel's; a refusal's body is of no interest."""
    http = asking("CONNECT")
    reply = http.hear(b"HTTP/1.1 200 Connection established\r\n\r\n")
    assert reply
    assert (reply.status, http.silent) == (200, True)
    http = asking("CONNECT")
    reply = http.hear(b"HTTP/1.1 407 No\r\nContent-Length: 1000\r\n\r\nmore")
    assert reply
    assert (reply.status, http.silent) == (407, False)
