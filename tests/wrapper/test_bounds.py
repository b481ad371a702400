"""What a server or a network may not do to a caller: fill memory, redirect, see a token."""

from __future__ import annotations

import gzip
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from clients import PROJECT, TOKEN, Maker
from loopback import Server, always, closed_port, read_request, reply
from taurusdb_starrocks import (
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    RetryPolicy,
)
from taurusdb_starrocks._redaction import clean_document

MEGABYTE = 1024 * 1024
JOB = b'{"job_id": "job-1"}'


def padded(size: int) -> bytes:
    return JOB[:-1] + b" " * (size - len(JOB)) + b"}"


@pytest.mark.parametrize("chunked", [False, True])
def test_body_up_to_a_megabyte_is_read(make: Maker, chunked: bool) -> None:
    """A reply of exactly the limit is a reply; one byte more is not."""
    body = padded(MEGABYTE)
    with Server(always(wire_reply(body, chunked=chunked))) as server:
        assert make(endpoint=server.url).pause().id == "job-1"
    with Server(always(wire_reply(body + b" ", chunked=chunked))) as server:
        with pytest.raises(OutcomeUnknownError, match="is larger than 1048576 bytes") as caught:
            make(endpoint=server.url).pause()
    assert caught.value.status == 200


def wire_reply(body: bytes, *, chunked: bool = False, encoding: str | None = None) -> bytes:
    headers = (f"Content-Encoding: {encoding}",) if encoding else ()
    if not chunked:
        return reply(body=body, headers=headers)
    head = "\r\n".join(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", *headers, "", ""])
    chunks = [body[at : at + 10_000] for at in range(0, len(body), 10_000)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
    return head.encode() + framed


ENCODED = [
    ("gzip", gzip.compress(JOB)),
    ("GZip", gzip.compress(JOB)),
    ("deflate", zlib.compress(JOB)),
    ("identity", JOB),
]


@pytest.mark.parametrize(("encoding", "body"), ENCODED, ids=range(len(ENCODED)))
@pytest.mark.parametrize("chunked", [False, True])
def test_encodings(make: Maker, encoding: str, body: bytes, chunked: bool) -> None:
    """Nothing compressed is requested; what comes compressed all the same is decoded."""
    with Server(always(wire_reply(body, chunked=chunked, encoding=encoding))) as server:
        assert make(endpoint=server.url).pause().id == "job-1"


BROKEN = [
    ("br", JOB, "has the unknown encoding 'br'"),
    ("gzip, gzip", gzip.compress(gzip.compress(JOB)), "has the unknown encoding"),
    ("gzip", JOB, "cannot be decoded"),
    ("gzip", gzip.compress(JOB)[:-1], "ends before the end of its encoding"),
    ("gzip", gzip.compress(JOB)[:-4] + b"wxyz", "cannot be decoded"),
    ("deflate", zlib.compress(JOB)[:-1], "ends before the end of its encoding"),
    ("gzip", gzip.compress(JOB) + b"more", "has data after the end of its encoding"),
    ("gzip", gzip.compress(padded(MEGABYTE + 1)), "is larger than 1048576 bytes"),
    ("gzip", b"", "has no JSON object"),
]


@pytest.mark.parametrize(("encoding", "body", "words"), BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("chunked", [False, True])
def test_broken_encodings(
    make: Maker, encoding: str, body: bytes, words: str, chunked: bool
) -> None:
    """A body that cannot be unpacked leaves the outcome unknown, and says why."""
    with Server(always(wire_reply(body, chunked=chunked, encoding=encoding))) as server:
        client = make(endpoint=server.url)
        with pytest.raises(OutcomeUnknownError, match=words):
            client.pause()
        with pytest.raises(OutcomeUnknownError, match=words):
            client.pause()


def test_unreadable_refusal(make: Maker) -> None:
    """The status counts even when the body cannot be read, for a call that only reads."""
    answer = reply(429, body=b"rubbish", headers=("Content-Encoding: br",))
    with Server(always(answer)) as server:
        client = make(endpoint=server.url)
        with pytest.raises(RateLimitError):
            client.tasks()
        with pytest.raises(OutcomeUnknownError):
            client.pause()


def test_client_works_after_too_large_a_body(make: Maker) -> None:
    """The connection with the unread rest is dropped, and the next call gets its own answer."""
    answers = [reply(body=b"x" * 4 * MEGABYTE), reply(document={"job_id": "after"})]

    def peer(sock: socket.socket) -> None:
        while read_request(sock):
            sock.sendall(answers.pop(0))

    with Server(peer) as server:
        client = make(endpoint=server.url)
        with pytest.raises(OutcomeUnknownError):
            client.pause()
        assert client.pause().id == "after"


def test_endless_headers_are_an_error(make: Maker) -> None:
    """Headers without end are cut off."""
    with Server(always(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100_000)) as server:
        with pytest.raises(OutcomeUnknownError):
            make(endpoint=server.url).pause()


# Run in processes of their own: the server, and a client whose peak of memory is looked at.
HUGE_SERVER = """
import sys, zlib
sys.path.insert(0, sys.argv[1])
from loopback import Server, read_request
kind, size = sys.argv[2], int(sys.argv[3])
packer = zlib.compressobj(1, wbits=31)
block = bytes(1 << 20)
def body():
    for _ in range(size >> 20):
        yield packer.compress(block) if kind == "bomb" else block
    if kind == "bomb":
        yield packer.flush()
sent = list(body()) if kind == "bomb" else None
def peer(sock):
    read_request(sock)
    encoding = b"Content-Encoding: gzip\\r\\n" if kind != "plain" else b""
    sock.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n" + encoding + b"\\r\\n")
    if kind == "tail":
        sock.sendall(zlib.compress(b"{}", wbits=31))
    for part in sent or body():
        sock.sendall(part)
with Server(peer) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""
PEAK = """
import asyncio, re, sys
from pathlib import Path
from taurusdb_starrocks import AsyncClient, Client, OutcomeUnknownError, TokenAuth
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
kind, small, huge, project = sys.argv[1:]
def settings(url):
    return dict(endpoint=url, project_id=project, auth=TokenAuth("t"), environ={})
args = ("9ac58f9b88744f8a87893d22f6ef9a28in17", "orders_sync")
async def acall(url):
    async with AsyncClient(**settings(url)) as client:
        await client.pause(*args)
def call(url):
    if kind == "async":
        return asyncio.run(acall(url))
    with Client(**settings(url)) as client:
        client.pause(*args)
call(small)
before = peak()
try:
    call(huge)
except OutcomeUnknownError as error:
    print(peak() - before, error)
"""


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    ("body", "size", "words"),
    [
        ("plain", 64, "is larger than"),
        ("bomb", 200, "is larger than"),
        ("tail", 64, "has data after"),
    ],
)
def test_memory_stays_flat(kind: str, body: str, size: int, words: str) -> None:
    """64 MB of body, 200 MB packed into little, 64 MB after the end: not 16 MB more of memory."""
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", HUGE_SERVER, here, body, str(size * MEGABYTE)]
    with (
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server,
        Server(always(reply())) as small,
    ):
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PEAK, kind, small.url, url, PROJECT],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert server.stdin is not None
        server.stdin.close()
    grown, _, said = done.stdout.partition(" ")
    print(f"{kind} {body}: peak grew by {int(grown) / 1024:.1f} MB")  # noqa: T201
    assert words in said
    assert int(grown) < 16 * 1024


def test_redirect_carries_no_token_elsewhere(make: Maker) -> None:
    """The place that a redirect names is never contacted."""
    with Server(always(reply())) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            answer = reply(status, headers=(f"Location: {elsewhere.url}/v3",))
            with Server(always(answer)) as server, pytest.raises(OutcomeUnknownError):
                make(endpoint=server.url).pause()
        assert elsewhere.connections == 0


class Authority:
    """A private authority, a server that it vouches for, and contexts that trust it."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    def server(self, *, ask_client: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert("127.0.0.1").configure_cert(context)
        if ask_client:
            self._ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def write(self, file: Path) -> None:
        """Write its certificate to a file."""
        self._ca.cert_pem.write_to_path(str(file))

    def client(self, *, known: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        if known:
            self._ca.issue_cert("client@example.com").configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


class Proxy(Server):
    """A proxy that keeps the requests it gets, and tunnels on CONNECT.

    Attributes:
        asked: The requests.
        environ: Variables that name it for everything.
    """

    def __init__(self, refuse: bytes | None = None) -> None:
        super().__init__(self._carry)
        self._refuse = refuse
        self.asked: list[bytes] = []
        self.environ = {"ALL_PROXY": self.url.removeprefix("http://")}

    def _carry(self, sock: socket.socket) -> None:
        request = read_request(sock)
        self.asked.append(request)
        if self._refuse is not None:
            sock.sendall(self._refuse)
            return
        target = request.split()[1]
        assert request.startswith(b"CONNECT")
        host, _, port = target.decode().partition(":")
        with socket.create_connection((host, int(port))) as far:
            self._open.add(far)
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(far, sock), daemon=True)
            back.start()
            pump(sock, far)
            back.join(5)


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy that works."""
    with Proxy() as proxy:
        yield proxy


def test_proxy_of_the_environment(
    make: Maker, proxy: Proxy, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy in the environment is used; it is read when a client is made."""
    with Server(always(reply()), authority.server()) as server:
        settings = {"endpoint": server.url, "ssl_context": authority.client()}
        given = make(**settings, environ=proxy.environ)
        for name, value in proxy.environ.items():
            monkeypatch.setenv(name, value)
        own = make(**settings, environ=None)
        elsewhere = make(**settings, environ={})
        for name in proxy.environ:
            monkeypatch.delenv(name)
        for client, asked in [(given, 1), (own, 2), (elsewhere, 2)]:
            assert client.pause().id == "job-1"
            assert len(proxy.asked) == asked
            client.close()
    assert proxy.asked[0].startswith(f"CONNECT 127.0.0.1:{server.port} ".encode())


def test_plain_http_goes_to_no_proxy(make: Maker, proxy: Proxy) -> None:
    """A stand-in on loopback is called directly, whatever the environment says."""
    with Server(always(reply())) as server:
        environ = {**proxy.environ, "HTTP_PROXY": proxy.url}
        assert make(endpoint=server.url, environ=environ).pause().id == "job-1"
    assert proxy.connections == 0


@pytest.mark.parametrize(
    "excepted",
    [
        *("127.0.0.1", "127.0.0.1:{port}", "*", "x.org, 127.0.0.1", "127.0.0.0/8", "127.0.0.1/32"),
        *("https://127.0.0.1", "all://127.0.0.1:{port}"),
    ],
)
def test_exceptions_from_the_proxy(
    make: Maker, proxy: Proxy, authority: Authority, excepted: str
) -> None:
    """NO_PROXY is heeded: addresses, blocks of them, and hosts, with and without a port."""
    with Server(always(reply()), authority.server()) as server:
        environ = proxy.environ | {"NO_PROXY": excepted.format(port=server.port)}
        settings = {"endpoint": server.url, "ssl_context": authority.client()}
        assert make(**settings, environ=environ).pause().id == "job-1"
    assert proxy.connections == 0


@pytest.mark.parametrize("excepted", ["::1", "[::1]", "::/64", "[::1]:{port}", "0::0:1"])
def test_exceptions_for_ipv6(make: Maker, proxy: Proxy, excepted: str) -> None:
    """An IPv6 address is an exception with and without brackets, alone or in a block."""
    with closed_port() as port:
        environ = proxy.environ | {"NO_PROXY": excepted.format(port=port)}
        client = make(endpoint=f"https://[::1]:{port}", environ=environ)
        with pytest.raises(NotSentError, match=rf"Could not connect to \[::1\]:{port}: "):
            client.pause()
    assert proxy.connections == 0


@pytest.mark.parametrize(
    "excepted", ["", "127.0.0.2", "127.0.0.1:1", "128.0.0.0/8", "x.org", "http://127.0.0.1"]
)
def test_what_is_no_exception(
    make: Maker, proxy: Proxy, authority: Authority, excepted: str
) -> None:
    """Another address, port, block, host or scheme is not an exception."""
    with Server(always(reply()), authority.server()) as server:
        environ = proxy.environ | {"NO_PROXY": excepted}
        settings = {"endpoint": server.url, "ssl_context": authority.client()}
        client = make(**settings, environ=environ)
        assert client.pause().id == "job-1"
        client.close()
    assert proxy.connections == 1


def test_environment_is_not_trusted_when_told(
    make: Maker, proxy: Proxy, authority: Authority
) -> None:
    """trust_env=False goes straight to the endpoint."""
    with Server(always(reply()), authority.server()) as server:
        settings = {"endpoint": server.url, "ssl_context": authority.client()}
        client = make(**settings, trust_env=False, environ=proxy.environ)
        assert client.pause().id == "job-1"
    assert proxy.connections == 0


@pytest.mark.parametrize(
    "address",
    [
        "socks5://127.0.0.1:1",
        "ftp://127.0.0.1:1",
        "http://127.0.0.1:99999",
        "x:y:z",
        "http://a..b:1",
    ],
)
def test_proxy_that_cannot_be_used(make: Maker, address: str) -> None:
    """A proxy of a kind that is not supported is a ConfigurationError that does not show it."""
    environ = {"HTTPS_PROXY": address.replace("127.0.0.1", "user:hunter2@127.0.0.1")}
    client = make(endpoint="https://127.0.0.1:1", environ=environ)
    with pytest.raises(ConfigurationError, match="The proxy from the environment") as caught:
        client.pause()
    assert "hunter2" not in str(caught.value)


def test_private_authority(make: Maker, authority: Authority) -> None:
    """A server of a private authority is refused, and accepted with its ssl_context."""
    with Server(always(reply()), authority.server()) as server:
        with pytest.raises(NotSentError, match="certificate verify failed"):
            make(endpoint=server.url).pause()
        client = make(endpoint=server.url, ssl_context=authority.client())
        assert client.pause().id == "job-1"


def test_file_of_a_private_authority(make: Maker, authority: Authority, tmp_path: Path) -> None:
    """Its path is enough, as an argument or in the environment; an ssl_context overrides that."""
    file = tmp_path / "ca.pem"
    authority.write(file)
    variable = {"TAURUSDB_STARROCKS_CA_FILE": str(file)}
    with Server(always(reply()), authority.server()) as server:
        for settings in ({"ca_file": file}, {"environ": variable}):
            assert make(endpoint=server.url, **settings).pause().id == "job-1"
        with pytest.raises(NotSentError, match="certificate verify failed"):
            context = ssl.create_default_context()
            make(endpoint=server.url, ssl_context=context, environ=variable).pause()


def test_certificate_for_another_host(make: Maker, authority: Authority) -> None:
    """A certificate must be for the host that is called."""
    with Server(always(reply()), authority.server()) as server:
        endpoint = f"https://localhost:{server.port}"
        with pytest.raises(NotSentError, match=r"[Hh]ostname mismatch"):
            make(endpoint=endpoint, ssl_context=authority.client()).pause()


def test_client_certificate(make: Maker, authority: Authority) -> None:
    """A client certificate in the ssl_context is shown to a server that asks for one."""
    with Server(always(reply()), authority.server(ask_client=True)) as server:
        context = authority.client(known=True)
        assert make(endpoint=server.url, ssl_context=context).pause().id == "job-1"


def test_tunnel_through_the_proxy(make: Maker, proxy: Proxy, authority: Authority) -> None:
    """HTTPS goes through the proxy as a tunnel, in which the proxy sees no token."""
    with Server(always(reply()), authority.server()) as server:
        context = authority.client()
        client = make(endpoint=server.url, ssl_context=context, environ=proxy.environ)
        assert client.pause().id == "job-1"
        assert client.pause().id == "job-1"
        client.close()
    assert [asked.split()[0] for asked in proxy.asked] == [b"CONNECT"]
    assert TOKEN.encode() not in proxy.asked[0]


ECHO = "Basic dXNlcjpodW50ZXIyaHVudGVyMg=="


@pytest.mark.parametrize("status", [403, 407, 502])
def test_refusal_by_a_proxy_is_not_sent(make: Maker, status: int) -> None:
    """A proxy that refuses a tunnel, or wants credentials: nothing was sent, and it is retried.

    Its words are not shown: they may repeat the credentials that it was given.
    """
    said = {"error_msg": f"{ECHO} hunter2hunter2"}
    headers = (f"Proxy-Authenticate: {ECHO}", f"X-Request-Id: {ECHO}", "Connection: close")
    answer = reply(status, said, headers).replace(b"Whatever", f"no {ECHO} hunter2hunter2".encode())
    with Proxy(refuse=answer) as proxy:
        address = proxy.url.replace("//", "//user:hunter2hunter2@")
        retry = RetryPolicy(first_delay=0)
        client = make(endpoint="https://127.0.0.1:1", environ={"HTTPS_PROXY": address}, retry=retry)
        with pytest.raises(NotSentError) as caught:
            client.pause()
        assert ECHO.encode() in proxy.asked[0]
        words = f"The proxy 127.0.0.1:{proxy.port} refused to connect to 127.0.0.1:1: status"
        assert str(caught.value).startswith(f"{words} {status}. ")
        assert caught.value.attempts == len(proxy.asked) == 3
        error: BaseException | None = caught.value
        while error is not None:
            assert "hunter2" not in f"{error!s} {error!r} {vars(error)}"
            assert ECHO not in f"{error!s} {error!r} {vars(error)}"
            error = error.__cause__ or error.__context__


def test_lost_tunnel_is_not_sent(make: Maker) -> None:
    """A proxy that hangs up on CONNECT has not passed anything on."""
    with Proxy(refuse=b"") as proxy:
        with pytest.raises(NotSentError):
            make(endpoint="https://127.0.0.1:1", environ=proxy.environ).pause()


def test_unreachable_proxy_is_not_sent(make: Maker) -> None:
    """A proxy that is down: nothing was sent."""
    with closed_port() as port:
        environ = {"HTTPS_PROXY": f"http://127.0.0.1:{port}"}
        with pytest.raises(NotSentError, match=f"the proxy 127.0.0.1:{port}: connection refused"):
            make(endpoint="https://127.0.0.1:1", environ=environ).pause()


def test_cleaning_a_long_document_takes_its_share() -> None:
    """A megabyte of texts that repeat a long token: a part of a second each, not seconds."""
    token = "".join(f"{number:04x}" for number in range(4000))
    document = {"replications": [{"stage": token[n : n + 1000]} for n in range(1000)]}
    began = time.process_time()
    cleaned = clean_document(document, [token])
    assert time.process_time() - began < 2
    assert {entry["stage"] for entry in cleaned["replications"]} == {"[hidden]"}
