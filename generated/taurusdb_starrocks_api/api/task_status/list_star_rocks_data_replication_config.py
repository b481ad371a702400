from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.gateway_error_body import GatewayErrorBody
from ...models.language import Language
from ...models.replication_configuration import ReplicationConfiguration
from ...models.service_error_body import ServiceErrorBody
from ...types import UNSET, Response, Unset


def _get_kwargs(
    project_id: str,
    instance_id: str,
    *,
    task_name: str,
    x_language: Language | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(x_language, Unset):
        headers["X-Language"] = str(x_language)

    params: dict[str, Any] = {}

    params["task_name"] = task_name

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v3/{project_id}/instances/{instance_id}/starrocks/databases/replication/configuration".format(
            project_id=quote(str(project_id), safe=""),
            instance_id=quote(str(instance_id), safe=""),
        ),
        "params": params,
    }

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> GatewayErrorBody | ReplicationConfiguration | ServiceErrorBody | None:
    if response.status_code == 200:
        response_200 = ReplicationConfiguration.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = ServiceErrorBody.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = GatewayErrorBody.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = GatewayErrorBody.from_dict(response.json())

        return response_403

    if response.status_code == 429:
        response_429 = GatewayErrorBody.from_dict(response.json())

        return response_429

    if response.status_code == 500:
        response_500 = ServiceErrorBody.from_dict(response.json())

        return response_500

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[GatewayErrorBody | ReplicationConfiguration | ServiceErrorBody]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
    task_name: str,
    x_language: Language | Unset = UNSET,
) -> Response[GatewayErrorBody | ReplicationConfiguration | ServiceErrorBody]:
    """Get the configuration of a synchronization task

     Returns the configuration of a synchronization task: the TaurusDB instance it replicates
    from, the parameters of the source (with the binlog retention, if the service reports it),
    whether its tables changed, and the error of the last schema change of the source that could
    not be replicated.

    Args:
        project_id (str):
        instance_id (str):
        task_name (str): Name of a synchronization task: ASCII letters, digits and underscores.
        x_language (Language | Unset): Language of messages.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GatewayErrorBody | ReplicationConfiguration | ServiceErrorBody]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        instance_id=instance_id,
        task_name=task_name,
        x_language=x_language,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
    task_name: str,
    x_language: Language | Unset = UNSET,
) -> GatewayErrorBody | ReplicationConfiguration | ServiceErrorBody | None:
    """Get the configuration of a synchronization task

     Returns the configuration of a synchronization task: the TaurusDB instance it replicates
    from, the parameters of the source (with the binlog retention, if the service reports it),
    whether its tables changed, and the error of the last schema change of the source that could
    not be replicated.

    Args:
        project_id (str):
        instance_id (str):
        task_name (str): Name of a synchronization task: ASCII letters, digits and underscores.
        x_language (Language | Unset): Language of messages.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GatewayErrorBody | ReplicationConfiguration | ServiceErrorBody
    """

    return sync_detailed(
        project_id=project_id,
        instance_id=instance_id,
        client=client,
        task_name=task_name,
        x_language=x_language,
    ).parsed


async def asyncio_detailed(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
    task_name: str,
    x_language: Language | Unset = UNSET,
) -> Response[GatewayErrorBody | ReplicationConfiguration | ServiceErrorBody]:
    """Get the configuration of a synchronization task

     Returns the configuration of a synchronization task: the TaurusDB instance it replicates
    from, the parameters of the source (with the binlog retention, if the service reports it),
    whether its tables changed, and the error of the last schema change of the source that could
    not be replicated.

    Args:
        project_id (str):
        instance_id (str):
        task_name (str): Name of a synchronization task: ASCII letters, digits and underscores.
        x_language (Language | Unset): Language of messages.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GatewayErrorBody | ReplicationConfiguration | ServiceErrorBody]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        instance_id=instance_id,
        task_name=task_name,
        x_language=x_language,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
    task_name: str,
    x_language: Language | Unset = UNSET,
) -> GatewayErrorBody | ReplicationConfiguration | ServiceErrorBody | None:
    """Get the configuration of a synchronization task

     Returns the configuration of a synchronization task: the TaurusDB instance it replicates
    from, the parameters of the source (with the binlog retention, if the service reports it),
    whether its tables changed, and the error of the last schema change of the source that could
    not be replicated.

    Args:
        project_id (str):
        instance_id (str):
        task_name (str): Name of a synchronization task: ASCII letters, digits and underscores.
        x_language (Language | Unset): Language of messages.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GatewayErrorBody | ReplicationConfiguration | ServiceErrorBody
    """

    return (
        await asyncio_detailed(
            project_id=project_id,
            instance_id=instance_id,
            client=client,
            task_name=task_name,
            x_language=x_language,
        )
    ).parsed
