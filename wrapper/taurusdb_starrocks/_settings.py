"""The settings of a client, from arguments and the environment, and where each was found."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from taurusdb_starrocks import _regions, _rules
from taurusdb_starrocks._credentials import Credentials
from taurusdb_starrocks._decisions.retry import RetryPolicy
from taurusdb_starrocks._errors import ConfigurationError
from taurusdb_starrocks._regions import Endpoint
from taurusdb_starrocks._transport.plan import Plan, Transport
from taurusdb_starrocks._version import __version__

if TYPE_CHECKING:
    import ssl

REGION = "TAURUSDB_STARROCKS_REGION"
ENDPOINT = "TAURUSDB_STARROCKS_ENDPOINT"
CA_FILE = "TAURUSDB_STARROCKS_CA_FILE"


class Settings(NamedTuple):
    """Endpoint, project and credentials of a client.

    Attributes:
        endpoint: Base URL of the service.
        project_id: ID of the project of the instances.
        auth: The credentials.
        sources: Where each of them was found: the name of an argument or a variable, or a file.
    """

    endpoint: Endpoint
    project_id: str
    auth: Credentials
    sources: Mapping[str, str]


def resolve(
    *,
    region: str | None,
    endpoint: str | None,
    project_id: str | None,
    auth: Credentials | None,
    environ: Mapping[str, str] | None,
) -> Settings:
    """The settings: from arguments, then the environment, then the source of the credentials.

    Raises:
        ConfigurationError: A setting is missing or malformed.
    """
    environ = os.environ if environ is None else environ
    place, region, place_source = _place(region, endpoint, environ)
    _check_auth(auth)
    sources = {"endpoint": place_source, "project_id": "project_id=", "auth": "auth="}
    if auth is None or not project_id:
        from taurusdb_starrocks._credentials import chain  # noqa: PLC0415  # It has all kinds.

        if auth is None:
            found = chain.find(environ, region, project_id)
            if found.auth is None:
                raise chain.nothing_found(environ)
            auth, sources["auth"] = found.auth, found.source
            project_id, sources["project_id"] = found.project_id, found.project_source
        else:
            project_id, sources["project_id"] = chain.project(environ, project_id)
        if project_id is None and auth.project_id:
            project_id, sources["project_id"] = auth.project_id, "the credentials"
        if project_id is None:
            raise ConfigurationError(
                f"No project ID. Pass project_id= or set {chain.PROJECT}"
                "; find_project_id() looks it up."
            )
    return Settings(place, _rules.project_id(project_id), auth, sources)


def _place(
    region: str | None, endpoint: str | None, environ: Mapping[str, str]
) -> tuple[Endpoint, str | None, str]:
    if region is not None and endpoint is not None:
        raise ConfigurationError("Give region or endpoint, not both.")
    if endpoint is not None:
        return _regions.endpoint("endpoint", endpoint), None, "endpoint="
    if region is not None:
        return _regions.service(region), region, "region="
    if environ.get(ENDPOINT):
        return _regions.endpoint(f"endpoint ({ENDPOINT})", environ[ENDPOINT]), None, ENDPOINT
    if environ.get(REGION):
        return _regions.service(environ[REGION]), environ[REGION], REGION
    raise ConfigurationError(
        f"No region. Pass region= or endpoint=, or set {REGION} or {ENDPOINT}."
    )


def _check_auth(auth: object) -> None:
    if not isinstance(auth, Credentials | None):
        raise ConfigurationError(
            "auth must be a credentials object like TokenAuth(…), not a plain value."
        )


def plan(  # The clients have the same arguments and describe them.
    endpoint: Endpoint,
    auth: Credentials,
    *,
    timeout: float = 60.0,
    connect_timeout: float = 5.0,
    read_timeout: float = 30.0,
    retry: RetryPolicy = RetryPolicy(),  # noqa: B008  # Frozen.
    max_connections: int = 100,
    ca_file: str | os.PathLike[str] | None = None,
    ssl_context: ssl.SSLContext | None = None,
    trust_env: bool = True,
    transport: Transport | None = None,
    environ: Mapping[str, str] | None = None,
) -> Plan:
    """The checked settings of a client's transport.

    Raises:
        ConfigurationError: An argument is malformed.
    """
    _check_auth(auth)
    environ = os.environ if environ is None else environ
    if not isinstance(retry, RetryPolicy):
        raise ConfigurationError("retry must be a RetryPolicy.")
    context, ca_file = _trust(ca_file, ssl_context, environ)
    if type(max_connections) is not int or max_connections < 1:
        raise ConfigurationError(
            f"max_connections must be an integer of at least 1, not {max_connections!r}."
        )
    return Plan(
        endpoint=endpoint,
        auth=auth,
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"taurusdb-starrocks/{__version__}",
        },
        timeout=_rules.seconds("timeout", timeout),
        connect_timeout=_rules.seconds("connect_timeout", connect_timeout),
        read_timeout=_rules.seconds("read_timeout", read_timeout),
        retry=retry,
        max_connections=max_connections,
        ssl_context=context,
        ca_file=ca_file,
        proxies=dict(environ) if trust_env else {},
        transport=transport,
    )


def _trust(
    ca_file: str | os.PathLike[str] | None,
    ssl_context: ssl.SSLContext | None,
    environ: Mapping[str, str],
) -> tuple[ssl.SSLContext | None, str | None]:
    """The TLS settings, and the file that they come from; None for the default."""
    source = "ca_file"
    if ca_file is None and ssl_context is None and environ.get(CA_FILE):
        ca_file, source = environ[CA_FILE], f"ca_file ({CA_FILE})"
    if ca_file is None and ssl_context is None:
        return None, None
    import ssl  # noqa: PLC0415  # Only TLS needs it, and it takes 10 ms.

    if not isinstance(ssl_context, ssl.SSLContext | None):
        raise ConfigurationError("ssl_context must be an ssl.SSLContext.")
    if ca_file is None:
        return ssl_context, None
    if ssl_context is not None:
        raise ConfigurationError("Give ca_file or ssl_context, not both.")
    if not isinstance(ca_file, str | os.PathLike):
        raise ConfigurationError(f"ca_file must be the path of a PEM file, not {ca_file!r}.")
    path = os.path.abspath(ca_file)  # noqa: PTH100  # Path.absolute() keeps "..".
    try:
        context = ssl.create_default_context(cafile=path)
    except ssl.SSLError as error:
        raise ConfigurationError(f"{source}: {path} contains no valid certificate.") from error
    except OSError as error:
        raise ConfigurationError(f"{source}: {path} cannot be read: {error.strerror}.") from error
    context.set_alpn_protocols(["http/1.1"])
    return context, path
