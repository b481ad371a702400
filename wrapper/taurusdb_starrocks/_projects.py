"""The ID of a region's project, asked of IAM when somebody wants it to be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import httpx

from taurusdb_starrocks import _credentials, _hosts, _http, _rules
from taurusdb_starrocks._errors import ConfigurationError, NotFoundError, OutcomeUnknownError


@_rules.discreet
def find_project_id(
    region: str,
    *,
    auth: httpx.Auth | None = None,
    iam_endpoint: str | None = None,
    environ: Mapping[str, str] | None = None,
    **options: Any,
) -> str:
    """The ID of the caller's project in a region, as IAM knows it.

    One request to IAM, and a login before it where the identity needs one. Ask once, when a
    program starts, and pass the result to the clients.

    Args:
        region: Region, like ``ap-southeast-3``. The project of a region has its name.
        auth: Who asks, as for ``Client``; not given, it is looked for in the same places.
        iam_endpoint: IAM host, in place of the region's.
        environ: Environment variables, in place of the process's own.
        **options: ``timeout``, ``ssl_context`` and the like, as for ``Client``.

    Raises:
        NotFoundError: IAM knows no such project, or several.
        ReplicationError: As for ``Client.pause``; nothing changed in any case.
    """
    environ = os.environ if environ is None else environ
    auth = _credentials.find(environ, region).auth if auth is None else auth
    if auth is None:
        raise _credentials.nothing_found(environ)
    endpoint = _hosts.iam(region) if iam_endpoint is None else iam_endpoint
    plan = _http.plan(
        _hosts.endpoint("iam_endpoint", endpoint).removesuffix("/v3"), auth, **options
    )
    with _http.HTTPClient(plan) as iam:
        found = iam.get("/v3/projects", params={"name": region}).json().get("projects")
    projects = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    if len(projects) != 1:
        raise NotFoundError(
            f"IAM knows {len(projects)} projects named {region}, not one. Pass project_id=.",
            status=200,
        )
    try:
        return _rules.project_id(projects[0].get("id"))
    except ConfigurationError as error:
        raise OutcomeUnknownError(
            "IAM gave the project an ID that is none", status=200, harmless=True
        ) from error
