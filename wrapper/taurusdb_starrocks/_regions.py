"""Where the service is: the host of each region, and the rule for an endpoint given instead."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from taurusdb_starrocks._errors import ConfigurationError
from taurusdb_starrocks._messages import Origin

# The prefix cannot be derived from the region. From the `servers` of openapi.yaml, proved equal
# by tests/wrapper/test_rules.py.
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
# Regions with an IAM host of their own (IAM endpoint table of the official Python client
# 3.1.219); the others share one.
IAM_REGIONS = (
    "cn-north-1 cn-north-2 cn-north-4 cn-north-9 cn-north-12 cn-east-2 cn-east-3 cn-east-4 "
    "cn-east-5 cn-south-1 cn-south-2 cn-southwest-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 "
    "ap-southeast-4 af-south-1 sa-brazil-1 la-south-2 la-north-2 na-mexico-1 eu-west-0 "
    "my-kualalumpur-1 ru-moscow-1 me-east-1 ae-ad-1 tr-west-1"
)


def regions() -> dict[str, str]:
    """The endpoint of each region that is known, by the name of the region."""
    return dict(ENDPOINTS)


class Endpoint(NamedTuple):
    """An origin, and the path that goes before every call's own (without a final slash)."""

    origin: Origin
    path: str = ""

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"


def service(region: object) -> Endpoint:
    """The endpoint of a known region."""
    if not isinstance(region, str) or region not in ENDPOINTS:
        raise ConfigurationError(
            f"Unknown region {region!r}{_suggestion(region)}. Known are "
            f"{', '.join(sorted(ENDPOINTS))}. For any other, give endpoint='https://…' in place of "
            "region."
        )
    return endpoint("endpoint", ENDPOINTS[region])


def _suggestion(region: object) -> str:
    import difflib  # noqa: PLC0415  # Only an error needs it.

    near = difflib.get_close_matches(str(region).lower(), ENDPOINTS, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def iam(region: str | None) -> Endpoint:
    """The endpoint of the IAM that issues tokens for a region."""
    host = f"iam.{region}" if region in IAM_REGIONS.split() else "iam"
    return endpoint("iam_endpoint", f"https://{host}.myhuaweicloud.com")


def iam_endpoint(argument: str, value: object) -> Endpoint:
    """The endpoint of an IAM, which OpenStack's variables give with its version."""
    if isinstance(value, str):
        value = re.sub(r"/v3/*$", "", value)
    return endpoint(argument, value)


def endpoint(argument: str, value: object) -> Endpoint:
    """The endpoint, if secrets may be sent there.

    Raises:
        ConfigurationError: It is no URL, its connections would not be encrypted, or it has more
            than an origin and a path.
    """
    text = value if isinstance(value, str) else ""
    # By its characters first: a password in the wrong place is not seen as one by a parser.
    if re.search("[@?#]", text):
        raise ConfigurationError(
            f"{argument} must have no credentials, query or fragment in it. It is not shown here."
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
        raise ConfigurationError(f"{argument} has an impossible port.")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _loopback(host))):
        raise ConfigurationError(
            f"{argument} must begin with https:// (http:// is for loopback only), not {shown}."
        )
    path = parts.path.rstrip("/")
    if path.endswith("/v3"):
        raise ConfigurationError(
            f"{argument} must end before /v3, which every call adds itself, not {shown}."
        )
    origin = Origin(parts.scheme, host, port or {"https": 443, "http": 80}[parts.scheme])
    return Endpoint(origin, quote(path, safe="/-_.~%!$&'()*+,;=:"))


def _ascii(host: str, *, bracketed: bool) -> str:
    """The host as the resolver takes it; a UnicodeError, which is a ValueError, if it cannot be."""
    if bracketed and ":" not in host:
        raise ValueError("what is in brackets is no IPv6 address")
    if "%" in host or not re.fullmatch(r"[0-9a-f.]*:[0-9a-f:.]*|[0-9]+(\.[0-9]+)*", host):
        if re.search(r"[^\w.-]", host):
            raise ValueError("the host has characters that no host has")
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
