"""The only module that uses generated code. It turns each step into a call of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import httpx
from taurusdb_starrocks_api import AuthenticatedClient
from taurusdb_starrocks_api.api.data_synchronization import (
    pause_star_rocks_data_replication,
    resume_star_rocks_data_replication,
)
from taurusdb_starrocks_api.api.instances import list_htap_instance_info
from taurusdb_starrocks_api.api.task_status import (
    list_star_rocks_data_replication_config,
    list_star_rocks_data_replications,
)
from taurusdb_starrocks_api.models import Job as WireJob
from taurusdb_starrocks_api.models import Language, ReplicationList, SyncTask
from taurusdb_starrocks_api.types import Response

from taurusdb_starrocks import _rules
from taurusdb_starrocks._decisions.steps import Change, Read, ReadPage
from taurusdb_starrocks._errors import ConfigurationError
from taurusdb_starrocks._instances import read_configuration, read_instances
from taurusdb_starrocks._operations import CONFIGURATION, INSTANCES, PAUSE, RESUME
from taurusdb_starrocks._redaction import printable
from taurusdb_starrocks._tasks import Job

__all__ = ["AuthenticatedClient", "call", "connected"]

# The generated module of each operation.
MODULES: dict[str, Any] = {
    PAUSE.name: pause_star_rocks_data_replication,
    RESUME.name: resume_star_rocks_data_replication,
    CONFIGURATION.name: list_star_rocks_data_replication_config,
    INSTANCES.name: list_htap_instance_info,
}


@attrs.define
class ConnectedClient(AuthenticatedClient):
    """The low-level client of a ``Client``, with its credentials, endpoint and limits.

    Attributes:
        cookies_sent: The cookies that this copy sends.
    """

    cookies_sent: Mapping[str, str] = attrs.field(factory=dict, kw_only=True, repr=False)

    def with_headers(self, headers: dict[str, str]) -> ConnectedClient:
        """A copy with additional headers that uses the same connections."""
        for name, value in headers.items():
            _rules.secret(f"The header {name!r}", value)
        copy = ConnectedClient(base_url="", token="", cookies_sent=self.cookies_sent)
        if self._client is not None:
            copy.set_httpx_client(self._client.extended(headers))  # type: ignore[attr-defined]  # Ours.
        if self._async_client is not None:
            copy.set_async_httpx_client(self._async_client.extended(headers))  # type: ignore[attr-defined]  # Ours.
        return copy

    def with_cookies(self, cookies: dict[str, str]) -> ConnectedClient:
        """A copy that sends cookies and uses the same connections."""
        cookies = {**self.cookies_sent, **cookies}
        copy = self.with_headers(
            {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        )
        copy.cookies_sent = cookies
        return copy

    def with_timeout(self, timeout: httpx.Timeout) -> ConnectedClient:
        """Not supported: the limits are those of the ``Client``."""
        raise ConfigurationError(
            "client.api uses the limits of its client. Create a client with timeout=, "
            f"connect_timeout= or read_timeout= instead of {timeout!r}."
        )

    def get_httpx_client(self) -> httpx.Client:
        """The HTTP client, for the functions ``sync`` and ``sync_detailed``."""
        if self._client is None:
            raise ConfigurationError(
                "This is the api of an AsyncClient: call asyncio or asyncio_detailed."
            )
        return self._client

    def get_async_httpx_client(self) -> httpx.AsyncClient:
        """The HTTP client, for the functions ``asyncio`` and ``asyncio_detailed``."""
        if self._async_client is None:
            raise ConfigurationError("This is the api of a Client: call sync or sync_detailed.")
        return self._async_client


def connected() -> ConnectedClient:
    """A low-level client without a base URL and a token. Our HTTP client adds both."""
    return ConnectedClient(base_url="", token="")


def call(
    step: Change | Read | ReadPage, api: AuthenticatedClient, project_id: str, language: str
) -> tuple[Any, Mapping[str, Any], Callable[[Any], Any]]:
    """The generated module for a step, the arguments, and the function that reads the response."""
    arguments = {
        "client": api,
        "project_id": project_id,
        "instance_id": _rules.plain(step.instance_id),
        "x_language": Language(language),
    }
    if isinstance(step, Change):
        body = SyncTask(task_name=_rules.plain(step.task_name))
        return MODULES[step.operation.name], {**arguments, "body": body}, _job
    if isinstance(step, Read):
        if step.task_name is not None:
            arguments["task_name"] = _rules.plain(step.task_name)
        return MODULES[step.operation.name], arguments, READERS[step.operation.name]
    page = {"limit": step.limit, "offset": step.offset}
    return list_star_rocks_data_replications, {**arguments, **page}, _page


def _job(reply: Response[Any]) -> Job:
    # A response without a usable job_id has already raised an error.
    assert isinstance(reply.parsed, WireJob)
    assert isinstance(reply.parsed.job_id, str)
    return Job(id=printable(reply.parsed.job_id), request_id=reply.headers.get("X-Request-Id"))


def _page(reply: Response[Any]) -> tuple[object, list[dict[str, Any]]]:
    parsed = reply.parsed
    assert isinstance(parsed, ReplicationList)
    return parsed.total_count, [entry.to_dict() for entry in parsed.replications or []]


def _document(reply: Response[Any]) -> Any:
    # Parse the body itself: generated models lose values whose type is not that of the contract.
    return json.loads(reply.content)


READERS: dict[str, Callable[[Response[Any]], Any]] = {
    CONFIGURATION.name: lambda reply: read_configuration(_document(reply)),
    INSTANCES.name: lambda reply: read_instances(_document(reply)),
}
