"""The proxy for an origin, from the proxy variables, with the rules of curl and httpx.

Plain HTTP is allowed only for loopback and never uses a proxy.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

import attrs

from taurusdb_starrocks._errors import ConfigurationError
from taurusdb_starrocks._messages import Origin


@attrs.frozen
class Proxy:
    """A forward proxy, and the headers to send to it."""

    origin: Origin
    headers: list[tuple[str, str]] = attrs.field(factory=list, repr=False)


class Route:
    """The route to an origin, directly or through a proxy. Each route has its own connections.

    Attributes:
        origin: The origin of the requests.
        proxy: The proxy, or None.
        authority: The origin, in the form of a ``Host`` header.
        first: The host to connect to: the proxy, if there is one.
    """

    def __init__(self, origin: Origin, proxy: Proxy | None = None) -> None:
        self.origin = origin
        self.proxy = proxy
        self.authority = origin.authority
        self.first = proxy.origin if proxy else origin

    @property
    def first_name(self) -> str:
        """The host to connect to, for messages."""
        return f"the proxy {self.first.netloc}" if self.proxy else self.first.netloc

    @property
    def name(self) -> str:
        """The origin and the proxy, for messages."""
        return f"{self.authority} through {self.first_name}" if self.proxy else self.authority


class Proxies:
    """The routes for an environment. The environment is read once, in the constructor."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Read ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, in upper and lower case."""
        self._name = "HTTPS_PROXY" if _variable(environ, "https_proxy") else "ALL_PROXY"
        self._address = _variable(environ, self._name.lower())
        self._exceptions = _variable(environ, "no_proxy").lower().replace(",", " ").split()
        self._routes: dict[Origin, Route] = {}

    def to(self, origin: Origin) -> Route:
        """The route to an origin, always the same object.

        Raises:
            ConfigurationError: The proxy for the origin cannot be used.
        """
        route = self._routes.get(origin)
        if route is None:
            route = self._routes.setdefault(origin, Route(origin, self._proxy(origin)))
        return route

    def _proxy(self, origin: Origin) -> Proxy | None:
        if origin.scheme == "http" or not self._address:
            return None
        if any(_excepts(entry, origin) for entry in self._exceptions):
            return None
        try:
            return _parse(self._address)
        except (
            ValueError
        ) as error:  # One of the messages below, or a message of urlsplit about the port.
            why = str(error) if isinstance(error, _UnusableError) else "it is malformed"
        raise ConfigurationError(
            f"The proxy from the environment ({self._name}) cannot be used: {why}. Nothing "
            "was sent."
        )


class _UnusableError(ValueError):
    """What is wrong with a proxy address, without showing the address."""


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, environ.get(name.upper(), "")).strip()


def _parse(address: str) -> Proxy:
    url = urlsplit(address if "://" in address else f"http://{address}")
    if url.scheme.startswith("socks"):
        raise _UnusableError("SOCKS is not supported")
    if url.scheme not in {"http", "https"}:
        raise _UnusableError("it is neither http:// nor https://")
    host = url.hostname or ""
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    if not host or not host.isprintable() or " " in host or url.port == 0:
        raise _UnusableError("it is malformed")
    host.encode("idna")  # The resolver does this too. A UnicodeError is a ValueError.
    return Proxy(Origin(url.scheme, host, port), _headers(url))


def _headers(url: SplitResult) -> list[tuple[str, str]]:
    if url.username is None:
        return []
    user, password = (unquote_to_bytes(part or "") for part in (url.username, url.password))
    value = base64.b64encode(user + b":" + password).decode("ascii")
    return [("Proxy-Authorization", f"Basic {value}")]


def _excepts(entry: str, origin: Origin) -> bool:
    """Whether an entry of ``NO_PROXY`` matches an origin."""
    scheme, _, place = entry.rpartition("://")
    if scheme not in {"", "all", origin.scheme}:
        return False
    return any(_means(name, origin.host.lower()) for name in _names(place, origin.port))


def _names(place: str, port: int) -> Iterator[str]:
    """The host of an entry, if its port matches. An IPv6 address may have no brackets."""
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
    """Whether an address or a CIDR block contains the host."""
    import ipaddress  # noqa: PLC0415  # Takes 4 ms; few environments have such entries.

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(block, strict=False)
    except ValueError:
        return block == host
