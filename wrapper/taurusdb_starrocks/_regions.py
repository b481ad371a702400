"""The service's endpoint in each region, and validation of custom endpoints."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from taurusdb_starrocks._errors import ConfigurationError
from taurusdb_starrocks._messages import Origin

# The prefix cannot be derived from the region. This is a copy of the `servers` in openapi.yaml;
# tests/wrapper/test_rules.py compares them.
PREFIXES = {
    "gaussdb": (
        "cn-north-4 cn-southwest-2 cn-east-3 cn-south-1 ru-northwest-2 ap-southeast-3 cn-north-2 "
        "cn-north-9 ap-southeast-4 sa-brazil-1 cn-south-4"
    ),
    "gaussdbformysql": "tr-west-1 ap-southeast-1 ap-southeast-2 cn-north-11 me-east-1",
    "gaussdb-mysql": "af-south-1 cn-east-5 la-north-2 cn-southwest-3",
}
ENDPOINTS = {
    region: f"https://{prefix}.{region}.myhuaweicloud.com"
    for prefix, regions in PREFIXES.items()
    for region in regions.split()
}
# Regions with a separate IAM host (IAM endpoint table of the official Python client 3.1.219).
# The other regions share one.
IAM_REGIONS = (
    "cn-north-1 cn-north-2 cn-north-4 cn-north-9 cn-north-12 cn-east-2 cn-east-3 cn-east-4 "
    "cn-east-5 cn-south-1 cn-south-2 cn-southwest-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 "
    "ap-southeast-4 af-south-1 sa-brazil-1 la-south-2 la-north-2 na-mexico-1 eu-west-0 "
    "my-kualalumpur-1 ru-moscow-1 me-east-1 ae-ad-1 tr-west-1"
)


def regions() -> dict[str, str]:
    """The endpoints of all known regions, by region."""
    return dict(ENDPOINTS)


class Endpoint(NamedTuple):
    """An origin and a path prefix for all calls, without a trailing slash."""

    origin: Origin
    path: str = ""

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"


def service(region: object) -> Endpoint:
    """The endpoint of a known region."""
    if not isinstance(region, str) or region not in ENDPOINTS:
        raise ConfigurationError(
            f"Unknown region {region!r}{_suggestion(region)}. Known regions: "
            f"{', '.join(sorted(ENDPOINTS))}. For other regions, "
            "give endpoint='https://…' in place of region."
        )
    return endpoint("endpoint", ENDPOINTS[region])


def _suggestion(region: object) -> str:
    import difflib  # noqa: PLC0415  # Only an error needs it.

    near = difflib.get_close_matches(str(region).lower(), ENDPOINTS, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def iam(region: str | None) -> Endpoint:
    """The IAM endpoint that issues tokens for a region."""
    host = f"iam.{region}" if region in IAM_REGIONS.split() else "iam"
    return endpoint("iam_endpoint", f"https://{host}.myhuaweicloud.com")


def iam_endpoint(argument: str, value: object) -> Endpoint:
    """An IAM endpoint. OpenStack's variables have it with the API version."""
    if isinstance(value, str):
        value = re.sub(r"/v3/*$", "", value)
    return endpoint(argument, value)


def endpoint(argument: str, value: object) -> Endpoint:
    """Parse an endpoint, if it is safe to send secrets there.

    Raises:
        ConfigurationError: It is not a URL, its connections would not be encrypted, or it has
            more than an origin and a path.
    """
    text = value if isinstance(value, str) else ""
    # Check the characters first: a parser does not recognize a password in the wrong place.
    if re.search("[@?#]", text):
        raise ConfigurationError(
            f"{argument} must not contain credentials, a query or a fragment. "
            "The value is not shown here."
        )
    shown = repr(value) if len(repr(value)) <= 200 else f"{repr(value)[:200]}…"
    if re.search(r"[\s\x00-\x1f\x7f\\]", text) or len(text) > 2000:
        raise ConfigurationError(f"{argument} is not a URL: {shown}.")
    try:
        parts = urlsplit(text)
        host, port = _ascii(parts.hostname or "", bracketed="[" in parts.netloc), parts.port
    except ValueError as error:
        raise ConfigurationError(f"{argument} is not a URL: {error}.") from None
    if port is not None and not 0 < port < 2**16:
        raise ConfigurationError(f"{argument} has an invalid port.")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _loopback(host))):
        raise ConfigurationError(
            f"{argument} must start with https:// (http:// is for loopback only), not {shown}."
        )
    path = parts.path.rstrip("/")
    if path.endswith("/v3"):
        raise ConfigurationError(
            f"{argument} must not include /v3, which each call adds, but it is {shown}."
        )
    origin = Origin(parts.scheme, host, port or {"https": 443, "http": 80}[parts.scheme])
    return Endpoint(origin, quote(path, safe="/-_.~%!$&'()*+,;=:"))


def _ascii(host: str, *, bracketed: bool) -> str:
    """The host in the form for the resolver. Raises a UnicodeError (a ValueError) if invalid."""
    if bracketed and ":" not in host:
        raise ValueError("the text in brackets is not an IPv6 address")
    if "%" in host or not re.fullmatch(r"[0-9a-f.]*:[0-9a-f:.]*|[0-9]+(\.[0-9]+)*", host):
        if re.search(r"[^\w.-]", host):
            raise ValueError("the host has invalid characters")
        encoded = host.encode("idna")
        encoded.decode("idna")
        return encoded.decode("ascii")
    return host


def _loopback(host: str) -> bool:
    import ipaddress  # noqa: PLC0415  # Only plain HTTP needs it.

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
