"""Where credentials are found when none are given."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import httpx
import pytest
from clients import PROJECT, Maker, Wire
from taurusdb_starrocks import Client, ConfigurationError, TokenAuth

OTHER_PROJECT = "f" * 32
TOKEN = {"TAURUSDB_STARROCKS_AUTH_TOKEN": "the-token"}
KEYS = {"HUAWEICLOUD_SDK_AK": "AKOFENV", "HUAWEICLOUD_SDK_SK": "SKOFENV-secret"}
LOGIN = {
    "OS_AUTH_URL": "https://keystone.example.com/v3",
    "OS_USERNAME": "me",
    "OS_PASSWORD": "pass-word",
    "OS_USER_DOMAIN_NAME": "acme",
}
PROFILE = "[basic]\nak = AKOFPROFILE\nsk = SKOFPROFILE-secret\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with a profile that only its owner can read."""
    folder = tmp_path / ".huaweicloud"
    folder.mkdir()
    write(folder / "credentials", PROFILE)
    return tmp_path


def write(path: Path, text: str | bytes, mode: int = 0o600) -> None:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)


def asked(make: Maker, environ: dict[str, str], **settings: Any) -> httpx.Request:
    """The first request of a client with the credentials that it finds."""
    expires = {"token": {"expires_at": "2999-01-01T00:00:00Z"}}
    login = httpx.Response(201, json=expires, headers={"X-Subject-Token": "of-iam"})
    job = httpx.Response(200, json={"job_id": "j"})
    wire = Wire(lambda request: login if request.url.path.endswith("/tokens") else job)
    make(auth=None, environ=environ, transport=wire, **settings).pause()
    return wire.sent[0]


def who(request: httpx.Request) -> str:
    if "Authorization" in request.headers:
        return request.headers["Authorization"].split("Access=")[1].split(",")[0]
    return request.headers.get("X-Auth-Token", str(request.url))


def test_order_of_discovery(make: Maker, home: Path) -> None:
    """Our token, the official client's key, OpenStack's login, the profile: the first wins."""
    environ = {"HOME": str(home)} | LOGIN | KEYS | TOKEN
    assert who(asked(make, environ)) == "the-token"
    del environ["TAURUSDB_STARROCKS_AUTH_TOKEN"]
    assert who(asked(make, environ)) == "AKOFENV"
    del environ["HUAWEICLOUD_SDK_AK"], environ["HUAWEICLOUD_SDK_SK"]
    assert who(asked(make, environ)) == "https://keystone.example.com/v3/auth/tokens"
    del environ["OS_AUTH_URL"]
    assert who(asked(make, environ)) == "AKOFPROFILE"


def test_argument_comes_before_all(make: Maker, home: Path) -> None:
    """Credentials that are passed are those that are used."""
    wire = Wire()
    environ = {"HOME": str(home)} | LOGIN | KEYS | TOKEN
    make(auth=TokenAuth("mine"), environ=environ, transport=wire).pause()
    assert who(wire.sent[0]) == "mine"


def test_security_token_of_the_environment(make: Maker) -> None:
    """A temporary key's token is taken along."""
    request = asked(make, KEYS | {"HUAWEICLOUD_SDK_SECURITY_TOKEN": "temporary"})
    assert request.headers["X-Security-Token"] == "temporary"


@pytest.mark.parametrize(
    ("variables", "argument", "scope"),
    [
        ({"OS_PROJECT_ID": OTHER_PROJECT}, PROJECT, {"id": OTHER_PROJECT}),
        ({"HUAWEICLOUD_SDK_PROJECT_ID": OTHER_PROJECT}, None, {"id": OTHER_PROJECT}),
        ({"OS_PROJECT_NAME": "cn-north-4"}, PROJECT, {"id": PROJECT}),
        ({}, PROJECT, {"id": PROJECT}),
    ],
)
def test_scope_of_an_openstack_login(
    make: Maker, variables: dict[str, str], argument: str | None, scope: dict[str, str]
) -> None:
    """The login is for the project of OpenStack's variables, else for the client's."""
    request = asked(make, LOGIN | variables, project_id=argument)
    assert json.loads(request.content)["auth"]["scope"]["project"] == scope


def test_openstack_project_is_the_clients(make: Maker) -> None:
    """A project that stands beside an OpenStack login is the client's, if it has no other."""
    environ = LOGIN | {"OS_PROJECT_ID": OTHER_PROJECT}
    wire = Wire()
    client = make(auth=None, environ=environ, project_id=None, transport=wire)
    assert OTHER_PROJECT in repr(client.client)


@pytest.mark.parametrize("missing", ["OS_USERNAME", "OS_USER_DOMAIN_NAME"])
def test_half_an_openstack_login(make: Maker, missing: str) -> None:
    """A login that lacks a part says which."""
    environ = {name: value for name, value in LOGIN.items() if name != missing}
    with pytest.raises(ConfigurationError, match=f"Half an OpenStack login: {missing} is missing"):
        make(auth=None, environ=environ)


def test_two_parts_of_a_login_that_are_missing(make: Maker) -> None:
    """They are named like any two things."""
    environ = {"OS_AUTH_URL": LOGIN["OS_AUTH_URL"], "OS_PASSWORD": "p"}
    words = r"OS_USERNAME and OS_USER_DOMAIN_NAME are missing\.$"
    with pytest.raises(ConfigurationError, match=words):
        make(auth=None, environ=environ)


@pytest.mark.parametrize("kept", KEYS)
def test_half_an_access_key(make: Maker, kept: str) -> None:
    """An incomplete access key is an error that says which half is missing."""
    (missing,) = set(KEYS) - {kept}
    with pytest.raises(
        ConfigurationError, match=f"The access key is incomplete: {missing} is missing"
    ):
        make(auth=None, environ={kept: "x"})


def test_profile(make: Maker, home: Path) -> None:
    """A profile gives key, security token and project."""
    text = f"{PROFILE}security_token = temporary\nproject_id = {OTHER_PROJECT}\n[other]\nak = no\n"
    write(home / ".huaweicloud" / "credentials", text)
    request = asked(make, {"HOME": str(home)}, project_id=None)
    assert who(request) == "AKOFPROFILE"
    assert request.headers["X-Security-Token"] == "temporary"
    assert request.headers["X-Project-Id"] == OTHER_PROJECT


def test_profile_elsewhere(make: Maker, home: Path, tmp_path: Path) -> None:
    """A variable names another profile file."""
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere, PROFILE.replace("AKOFPROFILE", "AKELSEWHERE"))
    environ = {"HOME": str(home), "HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(elsewhere)}
    assert who(asked(make, environ)) == "AKELSEWHERE"


@pytest.mark.parametrize("text", ["", "[other]\nak = a\nsk = b\n", "[basic]\n", "[basic]\nak =\n"])
def test_profile_without_a_key(make: Maker, home: Path, text: str) -> None:
    """A profile that has no key is as good as none; the error says where it was looked for."""
    path = home / ".huaweicloud" / "credentials"
    write(path, text)
    with pytest.raises(ConfigurationError, match="No credentials") as caught:
        make(auth=None, environ={"HOME": str(home)})
    for name in [*TOKEN, *KEYS, *LOGIN, "HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(path)]:
        assert name in str(caught.value)


def test_half_a_profile(make: Maker, home: Path) -> None:
    """Half a key in a profile says which half is missing."""
    write(home / ".huaweicloud" / "credentials", "[basic]\nsk = hunter2hunter2\n")
    with pytest.raises(ConfigurationError, match="ak is missing") as caught:
        make(auth=None, environ={"HOME": str(home)})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "ak = hunter2hunter2\n",
        "[basic]\nhunter2hunter2\n",
        "[basic]\nsk = hunter2hunter2\nsk = b\n",
        "[basic]\n[basic]\nsk = hunter2hunter2",
        b"[basic]\nsk = hunter2hunter2\xff\n",
    ],
)
def test_profile_that_is_none(make: Maker, home: Path, text: str | bytes) -> None:
    """A file that is not a profile is named, and nothing in it is shown."""
    path = home / ".huaweicloud" / "credentials"
    write(path, text)
    with pytest.raises(ConfigurationError, match=r"is not an INI file|cannot be read") as caught:
        make(auth=None, environ={"HOME": str(home)})
    assert str(path) in str(caught.value)
    assert "hunter2" not in repr((caught.value, caught.value.__context__, caught.value.__cause__))


def test_profile_that_is_named_and_missing(make: Maker, home: Path, tmp_path: Path) -> None:
    """A file that a variable names and that is not there is an error, with both their names."""
    missing = tmp_path / "missing"
    environ = {"HOME": str(home), "HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(missing)}
    with pytest.raises(ConfigurationError, match="does not exist") as caught:
        make(auth=None, environ=environ)
    assert "HUAWEICLOUD_SDK_CREDENTIALS_FILE" in str(caught.value)
    assert str(missing) in str(caught.value)


def test_profile_that_cannot_be_read(make: Maker, home: Path) -> None:
    """A profile that is there and cannot be read is an error, not nothing."""
    environ = {"HOME": str(home), "HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(home)}
    with pytest.raises(ConfigurationError, match="cannot be read: IsADirectoryError"):
        make(auth=None, environ=environ)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_profile_that_others_can_read(home: Path, mode: int) -> None:
    """A profile that others can read is used, with a warning that points at the client's line."""
    path = home / ".huaweicloud" / "credentials"
    path.chmod(mode)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Client(
            endpoint="https://e.com",
            project_id=PROJECT,
            environ={"HOME": str(home)},
            language="en-us",
        ):
            pass
    (warning,) = caught
    assert "chmod 600" in str(warning.message)
    assert str(path) in str(warning.message)
    assert warning.filename == __file__


def test_home_that_is_not_known(make: Maker) -> None:
    """Without HOME the account's home is looked at; with one that is empty as well."""
    for environ in ({}, {"HOME": ""}):
        with pytest.raises(ConfigurationError, match=r"\.huaweicloud/credentials"):
            make(auth=None, environ=environ)
