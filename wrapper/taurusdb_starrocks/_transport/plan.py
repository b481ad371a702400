"""The settings of a client's transport."""

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
"""An httpx transport to use instead of the network in tests, like ``httpx.MockTransport``."""


class Plan(NamedTuple):
    """The settings of a client's transport. Times are in seconds."""

    endpoint: Endpoint
    auth: Credentials
    headers: Mapping[str, str]
    timeout: float
    connect_timeout: float
    read_timeout: float
    retry: RetryPolicy
    max_connections: int
    ssl_context: ssl.SSLContext | None
    ca_file: str | None  # What the context was made of.
    proxies: Mapping[str, str]
    transport: Transport | None
