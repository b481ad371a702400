"""Which proxy leads to an origin: the proxy variables, as curl and httpx understand them."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import suppress
from urllib.parse import SplitResult, unquote, unquote_to_bytes, urlsplit

import attrs

from taurusdb_starrocks._errors import ConfigurationError
from taurusdb_starrocks._messages import Origin


@attrs.frozen
class Proxy:
    """A forward proxy, and the headers that are for itself."""

    origin: Origin
    headers: list[tuple[str, str]] = attrs.field(factory=list, repr=False)


class Route:
    """The way to an origin, directly or through a proxy; connections are kept for each.

    Attributes:
        origin: Where requests go.
        proxy: What carries them there, or None.
        authority: The origin as a ``Host`` header names it.
        first: Where connections go: the proxy, if there is one.
        forwarded: Whether the proxy reads a request and passes it on, as it does with plain HTTP.
    """

    def __init__(self, origin: Origin, proxy: Proxy | None = None) -> None:
        self.origin = origin
        self.proxy = proxy
        self.authority = origin.authority
        self.first = proxy.origin if proxy else origin
        self.forwarded = proxy is not None and origin.scheme == "http"

    @property
    def first_name(self) -> str:
        """Where connections go, for people."""
        return f"the proxy {self.first.netloc}" if self.proxy else self.first.netloc

    @property
    def name(self) -> str:
        """Where requests go, for people."""
        return f"{self.authority} through {self.first_name}" if self.proxy else self.authority


class Proxies:
    """The routes that an environment describes; it is read once, when this is made."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Read ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` in both cases."""
        self._addresses = {
            name: _variable(environ, f"{name}_proxy") for name in ("http", "https", "all")
        }
        if "REQUEST_METHOD" in environ:  # In a CGI script, HTTP_PROXY is a header of the client.
            self._addresses["http"] = environ.get("http_proxy", "").strip()
        self._exceptions = _variable(environ, "no_proxy").lower().replace(",", " ").split()
        self._routes: dict[Origin, Route] = {}

    def to(self, origin: Origin) -> Route:
        """The route to an origin, always the same one.

        Raises:
            ConfigurationError: The proxy for it cannot be used.
        """
        route = self._routes.get(origin)
        if route is None:
            route = self._routes.setdefault(origin, Route(origin, self._proxy(origin)))
        return route

    def secrets(self) -> list[str]:
        """Credentials that a proxy sees with each plain request, and may repeat in a response."""
        found: list[str] = []
        for name in ("http", "all"):
            with suppress(ValueError):  # Said when it is to be used.
                url = _split(self._addresses[name])
                found += [value for _, value in _headers(url)]
                found += [unquote(url.password)] if url.password else []
        return found

    def _proxy(self, origin: Origin) -> Proxy | None:
        name = origin.scheme if self._addresses[origin.scheme] else "all"
        address = self._addresses[name]
        if not address or any(_excepts(entry, origin) for entry in self._exceptions):
            return None
        try:
            return _parse(address)
        except ValueError as error:  # One of the texts below, or what urlsplit says of a port.
            why = str(error) if isinstance(error, _UnusableError) else "it is malformed"
        raise ConfigurationError(
            f"The proxy that the environment names for {origin.scheme}:// "
            f"({name.upper()}_PROXY) cannot be used: {why}. Nothing was sent."
        )


class _UnusableError(ValueError):
    """What is wrong with an address, in words that do not repeat it."""


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, environ.get(name.upper(), "")).strip()


def _split(address: str) -> SplitResult:
    return urlsplit(address if "://" in address else f"http://{address}")


def _parse(address: str) -> Proxy:
    url = _split(address)
    if url.scheme.startswith("socks"):
        raise _UnusableError("SOCKS is not supported")
    if url.scheme not in {"http", "https"}:
        raise _UnusableError("it is neither http:// nor https://")
    host = url.hostname or ""
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    if not host or not host.isprintable() or " " in host or url.port == 0:
        raise _UnusableError("it is malformed")
    host.encode("idna")  # What the resolver does with it; a UnicodeError is a ValueError.
    return Proxy(Origin(url.scheme, host, port), _headers(url))


def _headers(url: SplitResult) -> list[tuple[str, str]]:
    if url.username is None:
        return []
    user, password = (unquote_to_bytes(part or "") for part in (url.username, url.password))
    value = base64.b64encode(user + b":" + password).decode("ascii")
    return [("Proxy-Authorization", f"Basic {value}")]


def _excepts(entry: str, origin: Origin) -> bool:
    """Whether an entry of ``NO_PROXY`` means an origin."""
    scheme, _, place = entry.rpartition("://")
    if scheme not in {"", "all", origin.scheme}:
        return False
    return any(_means(name, origin.host.lower()) for name in _names(place, origin.port))


def _names(place: str, port: int) -> Iterator[str]:
    """The host of an entry, if its port fits; an IPv6 address has colons and may lack brackets."""
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        if rest in {"", f":{port}"}:
            yield host
    elif place.count(":") == 1:
        host, _, number = place.partition(":")
        if number == str(port):
            yield host
    else:
        yield place


def _means(name: str, host: str) -> bool:
    if name == "*":
        return True
    if "/" in name or ":" in name or name[-1:].isdigit():
        return _covers(name, host)
    suffix = name.removeprefix("*").strip(".")
    return bool(suffix) and f".{host.rstrip('.')}".endswith(f".{suffix}")


def _covers(block: str, host: str) -> bool:
    """Whether an address or a block of addresses has the host in it."""
    import ipaddress  # noqa: PLC0415  # Takes 4 ms; few environments have such entries.

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(block, strict=False)
    except ValueError:
        return block == host
