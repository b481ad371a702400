"""Where the service is: the host of each region, and the rule for an endpoint given instead."""

from __future__ import annotations

import ipaddress
import re

import httpx

from taurusdb_starrocks._errors import ConfigurationError

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


def service(region: object) -> str:
    """The endpoint of a known region."""
    if not isinstance(region, str) or region not in ENDPOINTS:
        raise ConfigurationError(
            f"Unknown region {region!r}. Known are {', '.join(sorted(ENDPOINTS))}. For any other, "
            "give endpoint='https://…' in place of region."
        )
    return ENDPOINTS[region]


def iam(region: str | None) -> str:
    """The endpoint of the IAM that issues tokens for a region."""
    host = f"iam.{region}" if region in IAM_REGIONS.split() else "iam"
    return f"https://{host}.myhuaweicloud.com"


def endpoint(argument: str, value: object) -> str:
    """The endpoint without a final slash, if secrets may be sent there."""
    # By its characters first: a password in the wrong place is not seen as one by a parser.
    if isinstance(value, str) and re.search("[@?#]", value):
        raise ConfigurationError(
            f"{argument} must have no credentials, query or fragment in it. It is not shown here."
        )
    try:
        url = httpx.URL(value if isinstance(value, str) else "")
        url.host.encode("idna")  # What the resolver does with it.
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ConfigurationError(f"{argument} is not a URL: {error}.") from error
    if url.port is not None and not 0 < url.port < 2**16:
        raise ConfigurationError(f"{argument} has an impossible port.")
    if not url.host or not (url.scheme == "https" or (url.scheme == "http" and _loopback(url))):
        raise ConfigurationError(
            f"{argument} must begin with https:// (http:// is for loopback only), not {value!r}."
        )
    return str(url).rstrip("/")


def _loopback(url: httpx.URL) -> bool:
    try:
        return ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        return url.host == "localhost"
