"""Ways to call the emulator, and a signer written from the vendor's guide."""

import hashlib
import hmac
import socket
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import httpx
from taurusdb_starrocks_emulator import Emulator


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_735_689_600.0  # 2025-01-01T00:00:00Z

    def __call__(self) -> float:
        return self.now


def open_client(emulator: Emulator, **settings: Any) -> Any:
    """An httpx client of the emulator that proves its identity."""
    return httpx.Client(
        base_url=emulator.url, headers={"X-Auth-Token": emulator.token}, timeout=10, **settings
    )


def path_of(emulator: Emulator, verb: str | None = None, instance_id: str | None = None) -> Any:
    """Path of an operation on the emulator's first instance, or on another one."""
    instance = instance_id or emulator.instance_id
    path = f"/v3/{emulator.project_id}/instances/{instance}/starrocks/databases/replication"
    return path if verb is None else f"{path}/{verb}"


def ask(
    emulator: Emulator, client: httpx.Client, verb: str = "pause", task_name: str | None = None
) -> Any:
    """Pause or resume a task, the first one unless told otherwise."""
    body = {"task_name": task_name or emulator.task_name}
    return client.post(path_of(emulator, verb), json=body)


def stages(emulator: Emulator, client: httpx.Client) -> Any:
    """Stages by task, as the list shows them."""
    page = client.get(path_of(emulator)).raise_for_status().json()
    return {task["task_name"]: task["stage"] for task in page["replications"]}


def raw(emulator: Emulator, data: bytes, *, until_closed: Any = True) -> Any:
    """All bytes that come back for these bytes."""
    target = urlsplit(emulator.url)
    with socket.create_connection((target.hostname, target.port), timeout=10) as connection:
        connection.sendall(data)
        if not until_closed:
            return connection.recv(65536)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def call_bytes(
    emulator: Emulator,
    *,
    verb: str = "pause",
    body: bytes = b'{"task_name":"orders_sync"}',
    headers: Any = (),
) -> Any:
    """A call as bytes, its connection to be closed after the answer."""
    lines = [
        f"POST {path_of(emulator, verb)} HTTP/1.1",
        "Host: emulator",
        f"X-Auth-Token: {emulator.token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def sdk_sign(
    method: str, url: str, headers: Any, body: bytes, access_key: str, secret_key: str
) -> Any:
    """The `Authorization` of a request: a second pair of eyes on the signature."""
    parts = urlsplit(url)
    lowered = {name.lower(): str(value).strip() for name, value in headers.items()}
    names = sorted(lowered)
    uri = "/".join(quote(unquote(segment), safe="~") for segment in parts.path.split("/"))
    query = "&".join(
        f"{quote(name, safe='~')}={quote(value, safe='~')}"
        for name, value in sorted(parse_qsl(parts.query, keep_blank_values=True))
    )
    canonical = (
        f"{method}\n{uri.rstrip('/')}/\n{query}\n"
        + "".join(f"{name}:{lowered[name]}\n" for name in names)
        + f"\n{';'.join(names)}\n{hashlib.sha256(body).hexdigest()}"
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"SDK-HMAC-SHA256\n{lowered['x-sdk-date']}\n{hashed}"
    signature = hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
    joined = ";".join(names)
    return f"SDK-HMAC-SHA256 Access={access_key}, SignedHeaders={joined}, Signature={signature}"


def signed_request(
    emulator: Emulator,
    *,
    secret_key: str | None = None,
    access_key: str | None = None,
    at: float | None = None,
    **more: Any,
) -> Any:
    """A signed pause of the first task, ready to be sent; `more` are headers to sign too."""
    moment = datetime.fromtimestamp(at, UTC) if at is not None else datetime.now(UTC)
    body = b'{"task_name": "orders_sync"}'
    url = emulator.url + path_of(emulator, "pause")
    headers = {
        "Host": urlsplit(url).netloc,
        "Content-Type": "application/json;charset=UTF-8",
        "X-Sdk-Date": moment.strftime("%Y%m%dT%H%M%SZ"),
        "X-Project-Id": emulator.project_id,
        **more,
    }
    headers["Authorization"] = sdk_sign(
        "POST",
        url,
        headers,
        body,
        access_key or emulator.access_key,
        secret_key or emulator.secret_key,
    )
    return httpx.Request("POST", url, headers=headers, content=body)


def send(request: httpx.Request) -> Any:
    """Send a request that is ready, and nothing else with it."""
    with httpx.Client(timeout=10) as plain:
        return plain.send(request)
