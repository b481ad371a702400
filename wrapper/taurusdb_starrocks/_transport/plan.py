"""What a client's transport is built from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, Union

from taurusdb_starrocks._credentials import Credentials
from taurusdb_starrocks._decisions.retry import RetryPolicy
from taurusdb_starrocks._regions import Endpoint

if TYPE_CHECKING:
    import ssl

    import httpx

Transport: TypeAlias = Union["httpx.BaseTransport", "httpx.AsyncBaseTransport"]
"""What carries requests in place of the network, for tests: a transport of httpx, like
``httpx.MockTransport``."""


class Plan(NamedTuple):
    """What a client's transport is built from. Times are in seconds."""

    endpoint: Endpoint
    auth: Credentials
    headers: Mapping[str, str]
    timeout: float
    connect_timeout: float
    read_timeout: float
    retry: RetryPolicy
    max_connections: int
    ssl_context: ssl.SSLContext | None
    proxies: Mapping[str, str]
    transport: Transport | None
