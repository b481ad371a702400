"""Look up the ID of a region's project at IAM."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from taurusdb_starrocks import _regions, _rules, _settings
from taurusdb_starrocks._credentials import chain
from taurusdb_starrocks._errors import ConfigurationError, NotFoundError, OutcomeUnknownError
from taurusdb_starrocks._operations import PROJECTS

if TYPE_CHECKING:
    from taurusdb_starrocks._credentials import Credentials


@_rules.discreet
def find_project_id(
    region: str,
    *,
    auth: Credentials | None = None,
    iam_endpoint: str | None = None,
    environ: Mapping[str, str] | None = None,
    **options: Any,
) -> str:
    """Look up the ID of your project in a region at IAM.

    This sends one request to IAM, and a login before it if the credentials need one. Call it once
    when your program starts, and pass the result to the clients.

    Args:
        region: Region, for example ``ap-southeast-3``. Its project has the same name.
        auth: Credentials, as for ``Client``. By default, they are read from the same places.
        iam_endpoint: IAM endpoint to use instead of the region's.
        environ: Environment variables to use instead of those of the process.
        **options: ``timeout``, ``ssl_context`` and so on, as for ``Client``.

    Raises:
        NotFoundError: IAM has no such project, or more than one.
        ReplicationError: As for ``Client.pause``. Nothing changes in any case.
    """
    environ = os.environ if environ is None else environ
    auth = chain.find(environ, region).auth if auth is None else auth
    if auth is None:
        raise chain.nothing_found(environ)
    endpoint = (
        _regions.iam(region)
        if iam_endpoint is None
        else _regions.iam_endpoint("iam_endpoint", iam_endpoint)
    )
    plan = _settings.plan(endpoint, auth, environ=environ, **options)
    from taurusdb_starrocks._transport.bridge import connect  # noqa: PLC0415  # It imports httpx.

    client, _within = connect(plan)
    with client as iam:
        found = iam.request(PROJECTS.method, PROJECTS.template, params={"name": region})
    projects = found.json().get("projects") or []
    if len(projects) != 1:
        many = f"{len(projects)} projects" if projects else "no project"
        raise NotFoundError(f"IAM has {many} named {region}. Pass project_id=.", status=200)
    try:
        return _rules.project_id(projects[0].get("id"))
    except ConfigurationError as error:
        raise OutcomeUnknownError(
            "IAM returned an invalid project ID", status=200, harmless=True
        ) from error
