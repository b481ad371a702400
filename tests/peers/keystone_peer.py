"""OpenStack Keystone on SQLite, with an account to log in to."""

from __future__ import annotations

import base64
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from environments import HERE, errors, line, running

CONFIGURATION = """
[database]
connection = sqlite:///{folder}/keystone.db
[token]
expiration = {life}
[fernet_tokens]
key_repository = {folder}/fernet
[fernet_receipts]
key_repository = {folder}/fernet
[identity]
password_hash_rounds = 4
[cache]
backend = dogpile.cache.memory
"""
# Without the cache every look at a token is some forty queries; with it, 10 ms instead of 200.
LONG_LIFE = 3600
SHORT_LIFE = 4  # Seconds. Keystone cuts off the fraction of a token's end, so it may be one less.
ACCOUNT = "tests-account"
REGION = "ap-southeast-3"


@dataclass(frozen=True)
class Server:
    """A Keystone that runs, and a line for each request it answered."""

    url: str
    log: Path
    http: httpx.Client

    def logins(self) -> list[int]:
        """The statuses of the logins so far, the oldest first."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [int(status) for *what, status in lines if what == ["POST", "/v3/auth/tokens"]]

    def forget(self) -> None:
        self.log.write_text("")

    def ask(self, method: str, path: str, token: str, **options: Any) -> httpx.Response:
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        return self.http.request(method, f"{self.url}/v3/{path}", headers=headers, **options)

    def token(self, token: str) -> dict[str, Any] | None:
        """What Keystone knows of a token; None if it is no good."""
        response = self.ask("GET", "auth/tokens", token)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            return None
        known: dict[str, Any] = response.raise_for_status().json()["token"]
        return known

    def revoke(self, token: str) -> None:
        self.ask("DELETE", "auth/tokens", token).raise_for_status()


@dataclass(frozen=True)
class User:
    """A user with a role in one project."""

    id: str
    name: str
    project_id: str
    password: str = field(repr=False)

    def login(self, **other: Any) -> dict[str, Any]:
        """Arguments of an ``IamPasswordAuth``."""
        mine = {"user": self.name, "password": self.password, "account": ACCOUNT}
        return {**mine, "project_id": self.project_id, **other}


class Keystone:
    """One Keystone as two servers: a token of `hasty` ends after seconds."""

    def __init__(self, patient: Server, hasty: Server, admin_password: str) -> None:
        self.patient = patient
        self.hasty = hasty
        default = {"id": "default"}
        user = {"name": "admin", "password": admin_password, "domain": default}
        identity = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": "admin", "domain": default}}
        login = {"auth": {"identity": identity, "scope": scope}}
        response = patient.http.post(f"{patient.url}/v3/auth/tokens", json=login)
        self.admin_token = response.raise_for_status().headers["X-Subject-Token"]
        self._domain_id = self._made("domain", name=ACCOUNT)
        self.project_id = self._made("project", name=REGION, domain_id=self._domain_id)
        [role] = self._manage("GET", "roles", params={"name": "member"}).json()["roles"]
        self._role_id = role["id"]

    def add_user(self) -> User:
        name, password = f"user-{secrets.token_hex(4)}", f"Pä$$ word/{secrets.token_hex(12)}"
        user_id = self._made("user", name=name, password=password, domain_id=self._domain_id)
        self._manage("PUT", f"projects/{self.project_id}/users/{user_id}/roles/{self._role_id}")
        return User(user_id, name, self.project_id, password)

    def disable(self, user: User) -> None:
        self._manage("PATCH", f"users/{user.id}", json={"user": {"enabled": False}})

    def _made(self, kind: str, **what: str) -> str:
        made: str = self._manage("POST", f"{kind}s", json={kind: what}).json()[kind]["id"]
        return made

    def _manage(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.patient.ask(method, path, self.admin_token, **options).raise_for_status()


@contextmanager
def keystone_servers(folder: Path) -> Iterator[Keystone]:
    password = secrets.token_hex(12)
    homes = {}
    for name, life in (("patient", LONG_LIFE), ("hasty", SHORT_LIFE)):
        homes[name] = folder / name
        homes[name].mkdir()
        configuration = CONFIGURATION.format(folder=folder, life=life)
        (homes[name] / "keystone.conf").write_text(configuration)
    keys = folder / "fernet"
    keys.mkdir()
    for staged_and_primary in ("0", "1"):
        (keys / staged_and_primary).write_bytes(base64.urlsafe_b64encode(secrets.token_bytes(32)))
    home = homes["patient"]
    with managing(home, "db_sync") as tables:
        finish(home, tables)
    with managing(home, "bootstrap", OS_BOOTSTRAP_PASSWORD=password) as bootstrap:
        finish(home, bootstrap)
    with ExitStack() as stack:
        http = stack.enter_context(httpx.Client(trust_env=False, timeout=60))
        started = [stack.enter_context(serving(home)) for home in homes.values()]
        servers = [
            Server(f"http://127.0.0.1:{int(line(process, home))}", requests(home), http)
            for process, home in zip(started, homes.values(), strict=True)
        ]
        yield Keystone(*servers, password)


def managing(home: Path, *arguments: str, **environ: str) -> Any:
    command = ("keystone-manage", "--config-file", str(home / "keystone.conf"), *arguments)
    return running(".venv-keystone", *command, home=home, **environ)


def finish(home: Path, process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=120)
    if process.returncode:
        pytest.fail(f"{process.args} failed:\n{errors(home).read_text()}")


def serving(home: Path) -> Any:
    requests(home).touch()
    command = ("python", str(HERE / "keystone_server.py"), str(requests(home)))
    return running(".venv-keystone", *command, home=home, OS_KEYSTONE_CONFIG_DIR=str(home))


def requests(home: Path) -> Path:
    return home / "requests"
