"""The proxy variables of an environment, as curl and httpx understand them."""

from __future__ import annotations

import pytest
from taurusdb_starrocks import ConfigurationError
from taurusdb_starrocks._messages import Origin
from taurusdb_starrocks._transport.proxies import Proxies

A, B = "http://a.example:1", "http://b.example:2"


def first(environ: dict[str, str], host: str = "service.example", scheme: str = "https",
          port: int = 443) -> str:  # fmt: skip
    """Where connections to an origin go."""
    return str(Proxies(environ).to(Origin(scheme, host, port)).first)


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": A}, A),
        ({"HTTP_PROXY": A}, None),
        ({"ALL_PROXY": A}, A),
        ({"all_proxy": A, "https_proxy": B}, B),
        ({"https_proxy": A, "HTTPS_PROXY": B}, A),
        ({"https_proxy": "", "HTTPS_PROXY": B}, None),
        ({"https_proxy": " ", "ALL_PROXY": B}, B),
        ({"HTTPS_PROXY": "a.example:1"}, A),
        ({"HTTPS_PROXY": " a.example "}, "http://a.example"),
        ({"HTTPS_PROXY": "HTTPS://a.example"}, "https://a.example"),
        ({"HTTPS_PROXY": "http://[::1]:3128/"}, "http://[::1]:3128"),
    ],
)
def test_variables(environ: dict[str, str], proxy: str | None) -> None:
    """Lower case comes first, the scheme's own before ALL_PROXY, and http:// may be left out."""
    assert first(environ) == (proxy or "https://service.example")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_plain_http_goes_to_no_proxy(name: str) -> None:
    """It is for loopback only, which a proxy would look for on its own machine."""
    assert first({name: A}, "127.0.0.1", "http", 8080) == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("exceptions", "host", "direct"),
    [
        ("*", "service.example", True),
        ("x.org, *", "service.example", True),
        ("service.example", "service.example", True),
        ("SERVICE.example", "service.EXAMPLE", True),
        ("x.org,service.example", "service.example", True),
        ("x.org service.example", "service.example", True),
        ("example", "service.example", True),
        (".example", "service.example", True),
        ("*.example", "service.example", True),
        (".service.example", "service.example", True),
        ("service.example.", "service.example", True),
        ("service.example", "service.example.", True),
        ("vice.example", "service.example", False),
        ("a.service.example", "service.example", False),
        ("service.example:443", "service.example", True),
        ("service.example:8443", "service.example", False),
        ("https://service.example", "service.example", True),
        ("all://service.example", "service.example", True),
        ("http://service.example", "service.example", False),
        (",, .", "service.example", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1:443", "127.0.0.1", True),
        ("127.0.0.1:80", "127.0.0.1", False),
        ("0.0.1", "127.0.0.1", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3/8", "10.9.9.9", True),
        ("10.0.0.0/8", "service.example", False),
        ("10.0.0.0/8", "10.example", False),
        ("10.0.0.0/88", "10.1.2.3", False),
        ("::1", "::1", True),
        ("0:0::1", "::1", True),
        ("[::1]", "::1", True),
        ("[::1]:443", "::1", True),
        ("[::1]:80", "::1", False),
        ("::2", "::1", False),
        ("fd00::/8", "fd12::1", True),
        ("fd00::/8", "fe80::1", False),
        ("fd00::/8", "10.1.2.3", False),
        ("1.2.3.4", "::1", False),
    ],
)
def test_exceptions(exceptions: str, host: str, direct: bool) -> None:
    """NO_PROXY names hosts, domains, addresses and blocks of them, each with or without a port."""
    for name in ("NO_PROXY", "no_proxy"):
        environ = {"ALL_PROXY": A, name: exceptions}
        assert (first(environ, host) != A) == direct


@pytest.mark.parametrize(
    ("userinfo", "value"),
    [
        ("user:pass@", "Basic dXNlcjpwYXNz"),
        ("user@", "Basic dXNlcjo="),
        (":pass@", "Basic OnBhc3M="),
        ("us%3Aer:p%40s%2Fs@", "Basic dXM6ZXI6cEBzL3M="),
        ("user:p@ss@", "Basic dXNlcjpwQHNz"),
        ("", None),
    ],
)
def test_credentials(userinfo: str, value: str | None) -> None:
    """User and password of the address are decoded and sent to the proxy as Basic credentials."""
    route = Proxies({"ALL_PROXY": f"http://{userinfo}a.example"}).to(Origin("https", "s", 443))
    assert route.proxy
    assert route.proxy.headers == ([("Proxy-Authorization", value)] if value else [])
    assert value is None or value not in repr(route.proxy)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("socks5://user:hunter2@a.example", "SOCKS is not supported"),
        ("SOCKS5H://user:hunter2@a.example", "SOCKS is not supported"),
        ("ftp://user:hunter2@a.example", "neither http:// nor https://"),
        ("http://user:hunter2@a.example:99999", "malformed"),
        ("http://user:hunter2@a.example:0", "malformed"),
        ("http://user:hunter2@a.example:port", "malformed"),
        ("user:hunter2@x:y:z", "malformed"),
        ("http://user:hunter2@a..b:1", "malformed"),
        ("http://user:hunter2@", "malformed"),
        ("http://", "malformed"),
        ("http://user:hunter2@a b", "malformed"),
        ("http://user:hunter2@a\x00b", "malformed"),
        ("http://user:hunter2@[::1", "malformed"),
        ("http://user:hunter2@[::x]", "malformed"),
        ("://user:hunter2@a", "neither http:// nor https://"),
    ],
)
def test_proxy_that_cannot_be_used(address: str, words: str) -> None:
    """The variable is named and the reason given, but neither address nor password shown."""
    proxies = Proxies({"HTTPS_PROXY": address})
    assert str(proxies.to(Origin("http", "s", 80)).first) == "http://s"
    with pytest.raises(ConfigurationError, match="The proxy from the environment") as caught:
        proxies.to(Origin("https", "s", 443))
    assert "(HTTPS_PROXY) cannot be used: " in str(caught.value)
    assert words in str(caught.value)
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__context__ is None


def test_environment_is_read_once() -> None:
    """What changes in the environment later on changes nothing, and a route is always the same."""
    environ = {"ALL_PROXY": A}
    proxies = Proxies(environ)
    environ.clear()
    route = proxies.to(Origin("https", "s", 443))
    assert str(route.first) == A
    assert proxies.to(Origin("https", "s", 443)) is route
