from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.gateway_error_body import GatewayErrorBody
from ...models.language import Language
from ...models.replication_list import ReplicationList
from ...models.service_error_body import ServiceErrorBody
from ...types import UNSET, Response, Unset


def _get_kwargs(
    project_id: str,
    instance_id: str,
    *,
    limit: int | Unset = 100,
    offset: int | Unset = 0,
    x_language: Language | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(x_language, Unset):
        headers["X-Language"] = str(x_language)

    params: dict[str, Any] = {}

    params["limit"] = limit

    params["offset"] = offset

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v3/{project_id}/instances/{instance_id}/starrocks/databases/replication".format(
            project_id=quote(str(project_id), safe=""),
            instance_id=quote(str(instance_id), safe=""),
        ),
        "params": params,
    }

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> GatewayErrorBody | ReplicationList | ServiceErrorBody | None:
    if response.status_code == 200:
        response_200 = ReplicationList.from_dict(response.json())

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
) -> Response[GatewayErrorBody | ReplicationList | ServiceErrorBody]:
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
    limit: int | Unset = 100,
    offset: int | Unset = 0,
    x_language: Language | Unset = UNSET,
) -> Response[GatewayErrorBody | ReplicationList | ServiceErrorBody]:
    """List the synchronization tasks of an instance

     Returns one page of the synchronization tasks of a StarRocks instance, with the stage of
    each task. You cannot request a single task by name.

    A page can contain fewer than `limit` tasks even if it is not the last page.

    Requires the permission `gaussdbformysql:htapInstance:getReplication`.

    Args:
        project_id (str):
        instance_id (str):
        limit (int | Unset):  Default: 100.
        offset (int | Unset):  Default: 0.
        x_language (Language | Unset): Language of messages.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GatewayErrorBody | ReplicationList | ServiceErrorBody]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        instance_id=instance_id,
        limit=limit,
        offset=offset,
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
    limit: int | Unset = 100,
    offset: int | Unset = 0,
    x_language: Language | Unset = UNSET,
) -> GatewayErrorBody | ReplicationList | ServiceErrorBody | None:
    """List the synchronization tasks of an instance

     Returns one page of the synchronization tasks of a StarRocks instance, with the stage of
    each task. You cannot request a single task by name.

    A page can contain fewer than `limit` tasks even if it is not the last page.

    Requires the permission `gaussdbformysql:htapInstance:getReplication`.

    Args:
        project_id (str):
        instance_id (str):
        limit (int | Unset):  Default: 100.
        offset (int | Unset):  Default: 0.
        x_language (Language | Unset): Language of messages.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GatewayErrorBody | ReplicationList | ServiceErrorBody
    """

    return sync_detailed(
        project_id=project_id,
        instance_id=instance_id,
        client=client,
        limit=limit,
        offset=offset,
        x_language=x_language,
    ).parsed


async def asyncio_detailed(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
    limit: int | Unset = 100,
    offset: int | Unset = 0,
    x_language: Language | Unset = UNSET,
) -> Response[GatewayErrorBody | ReplicationList | ServiceErrorBody]:
    """List the synchronization tasks of an instance

     Returns one page of the synchronization tasks of a StarRocks instance, with the stage of
    each task. You cannot request a single task by name.

    A page can contain fewer than `limit` tasks even if it is not the last page.

    Requires the permission `gaussdbformysql:htapInstance:getReplication`.

    Args:
        project_id (str):
        instance_id (str):
        limit (int | Unset):  Default: 100.
        offset (int | Unset):  Default: 0.
        x_language (Language | Unset): Language of messages.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GatewayErrorBody | ReplicationList | ServiceErrorBody]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        instance_id=instance_id,
        limit=limit,
        offset=offset,
        x_language=x_language,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
    limit: int | Unset = 100,
    offset: int | Unset = 0,
    x_language: Language | Unset = UNSET,
) -> GatewayErrorBody | ReplicationList | ServiceErrorBody | None:
    """List the synchronization tasks of an instance

     Returns one page of the synchronization tasks of a StarRocks instance, with the stage of
    each task. You cannot request a single task by name.

    A page can contain fewer than `limit` tasks even if it is not the last page.

    Requires the permission `gaussdbformysql:htapInstance:getReplication`.

    Args:
        project_id (str):
        instance_id (str):
        limit (int | Unset):  Default: 100.
        offset (int | Unset):  Default: 0.
        x_language (Language | Unset): Language of messages.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GatewayErrorBody | ReplicationList | ServiceErrorBody
    """

    return (
        await asyncio_detailed(
            project_id=project_id,
            instance_id=instance_id,
            client=client,
            limit=limit,
            offset=offset,
            x_language=x_language,
        )
    ).parsed
