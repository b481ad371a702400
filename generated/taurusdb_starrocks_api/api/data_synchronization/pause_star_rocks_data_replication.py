from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.gateway_error_body import GatewayErrorBody
from ...models.job import Job
from ...models.language import Language
from ...models.service_error_body import ServiceErrorBody
from ...models.sync_task import SyncTask
from ...types import UNSET, Response, Unset


def _get_kwargs(
    project_id: str,
    instance_id: str,
    *,
    body: SyncTask,
    x_language: Language | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(x_language, Unset):
        headers["X-Language"] = str(x_language)

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v3/{project_id}/instances/{instance_id}/starrocks/databases/replication/pause".format(
            project_id=quote(str(project_id), safe=""),
            instance_id=quote(str(instance_id), safe=""),
        ),
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> GatewayErrorBody | Job | ServiceErrorBody | None:
    if response.status_code == 200:
        response_200 = Job.from_dict(response.json())

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
) -> Response[GatewayErrorBody | Job | ServiceErrorBody]:
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
    body: SyncTask,
    x_language: Language | Unset = UNSET,
) -> Response[GatewayErrorBody | Job | ServiceErrorBody]:
    """Pause a synchronization task

     Pauses one synchronization task of a StarRocks instance. Huawei Cloud documents this call
    as "Stopping a Data Synchronization Task for a StarRocks Instance".

    Requires the permission `gaussdbformysql:htapInstance:modifyDataSync` (alias
    `gaussdb:htapInstance:modifyDataSync`). Huawei Cloud does not document the response for a
    task that is already paused.

    Args:
        project_id (str):
        instance_id (str):
        x_language (Language | Unset): Language of messages.
        body (SyncTask): A synchronization task of the instance, by name.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GatewayErrorBody | Job | ServiceErrorBody]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        instance_id=instance_id,
        body=body,
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
    body: SyncTask,
    x_language: Language | Unset = UNSET,
) -> GatewayErrorBody | Job | ServiceErrorBody | None:
    """Pause a synchronization task

     Pauses one synchronization task of a StarRocks instance. Huawei Cloud documents this call
    as "Stopping a Data Synchronization Task for a StarRocks Instance".

    Requires the permission `gaussdbformysql:htapInstance:modifyDataSync` (alias
    `gaussdb:htapInstance:modifyDataSync`). Huawei Cloud does not document the response for a
    task that is already paused.

    Args:
        project_id (str):
        instance_id (str):
        x_language (Language | Unset): Language of messages.
        body (SyncTask): A synchronization task of the instance, by name.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GatewayErrorBody | Job | ServiceErrorBody
    """

    return sync_detailed(
        project_id=project_id,
        instance_id=instance_id,
        client=client,
        body=body,
        x_language=x_language,
    ).parsed


async def asyncio_detailed(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
    body: SyncTask,
    x_language: Language | Unset = UNSET,
) -> Response[GatewayErrorBody | Job | ServiceErrorBody]:
    """Pause a synchronization task

     Pauses one synchronization task of a StarRocks instance. Huawei Cloud documents this call
    as "Stopping a Data Synchronization Task for a StarRocks Instance".

    Requires the permission `gaussdbformysql:htapInstance:modifyDataSync` (alias
    `gaussdb:htapInstance:modifyDataSync`). Huawei Cloud does not document the response for a
    task that is already paused.

    Args:
        project_id (str):
        instance_id (str):
        x_language (Language | Unset): Language of messages.
        body (SyncTask): A synchronization task of the instance, by name.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GatewayErrorBody | Job | ServiceErrorBody]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        instance_id=instance_id,
        body=body,
        x_language=x_language,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
    body: SyncTask,
    x_language: Language | Unset = UNSET,
) -> GatewayErrorBody | Job | ServiceErrorBody | None:
    """Pause a synchronization task

     Pauses one synchronization task of a StarRocks instance. Huawei Cloud documents this call
    as "Stopping a Data Synchronization Task for a StarRocks Instance".

    Requires the permission `gaussdbformysql:htapInstance:modifyDataSync` (alias
    `gaussdb:htapInstance:modifyDataSync`). Huawei Cloud does not document the response for a
    task that is already paused.

    Args:
        project_id (str):
        instance_id (str):
        x_language (Language | Unset): Language of messages.
        body (SyncTask): A synchronization task of the instance, by name.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GatewayErrorBody | Job | ServiceErrorBody
    """

    return (
        await asyncio_detailed(
            project_id=project_id,
            instance_id=instance_id,
            client=client,
            body=body,
            x_language=x_language,
        )
    ).parsed
