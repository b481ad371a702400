"""A guardian trusts the certificate authorities that its program trusts, if they are in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from programs import until
from taurusdb_starrocks import Client, Poll, TokenAuth
from taurusdb_starrocks.durable import GuardianError, Journal, LeaseExpiredError, window
from taurusdb_starrocks_emulator import Emulator

NAMES = ["orders_sync", "billing_sync"]


@pytest.fixture
def ca_file(folder: Path) -> Path:
    """A private authority, and the certificate and key of a server beside it."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return folder / "ca.pem"


@pytest.fixture
def private(ca_file: Path) -> Iterator[Emulator]:
    """An emulator with a certificate of that authority."""
    server = str(ca_file.with_name("server.pem"))
    with Emulator(ssl_certfile=server, ssl_keyfile=server) as emulator:
        yield emulator


def client(private: Emulator, **settings: Any) -> Client:
    return Client(
        endpoint=private.url,
        project_id=private.project_id,
        auth=TokenAuth(private.token),
        poll=Poll(first=0.05, interval=0.05),
        **settings,
    )


@pytest.mark.parametrize("variable", [False, True])
def test_the_guardian_trusts_the_same_file(
    private: Emulator,
    ca_file: Path,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    variable: bool,
) -> None:
    """As an argument, relative to the folder of the program, or from the environment."""
    monkeypatch.chdir(ca_file.parent)
    monkeypatch.setenv("TAURUSDB_STARROCKS_CA_FILE", "ca.pem" if variable else "")
    settings = {} if variable else {"ca_file": "ca.pem"}

    def running() -> bool:
        return all(task.stage == "Incremental" for task in private.tasks() if task.name in NAMES)

    with client(private, **settings) as trusting:
        with pytest.raises(LeaseExpiredError):
            with window(trusting, private.instance_id, NAMES, journal=journal, lease=1.0):
                assert not running()
                until(running, 20)


def test_a_file_that_is_gone(private: Emulator, ca_file: Path, journal: Journal) -> None:
    """The window does not open, and says which file it is."""
    with client(private, ca_file=ca_file) as trusting:
        ca_file.unlink()
        opening = window(trusting, private.instance_id, NAMES, journal=journal, lease=60)
        with pytest.raises(GuardianError, match=r"ca\.pem cannot be read: No such file"), opening:
            pytest.fail("it began")
    assert private.journal() == []
