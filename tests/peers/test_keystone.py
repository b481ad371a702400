"""``IamPasswordAuth`` against a real OpenStack Keystone.

The service behind the login is a stand-in, but who calls is decided by Keystone: it is asked
about every token that the service gets.
"""

from __future__ import annotations

import asyncio
import re
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from keystone_peer import ACCOUNT, REGION, Keystone, Server, User
from recording_service import Received, RecordingService, Reply
from taurusdb_starrocks import (
    AuthenticationError,
    Client,
    IamPasswordAuth,
    Job,
    NotFoundError,
    ReplicationError,
    TokenAuth,
    find_project_id,
)

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
TASK = "orders_sync"
REJECTED = r"The login at 127\.0\.0\.1:\d+ was rejected"


class Service(RecordingService):
    """Answers whom Keystone vouches for, in the project that the token is for."""

    def __init__(self, keystone: Server) -> None:
        super().__init__(self._judge)
        self._keystone = keystone
        self.statuses: list[int] = []

    def _judge(self, received: Received) -> Reply:
        known = self._keystone.token(received.headers["X-Auth-Token"])
        project_id = received.target.split("/")[2]
        if known is None or known["project"]["id"] != project_id:
            refusal = '{"error_code": "APIGW.0301", "error_msg": "Incorrect IAM token"}'
            self.statuses.append(401)
            return Reply(401, refusal)
        self.statuses.append(200)
        return Reply(200, '{"job_id": "3711e2ad-5787-49bc-a47f-3f0b066af9f5"}')

    def tokens(self) -> list[str]:
        return [received.headers["X-Auth-Token"] for received in self.received]


@pytest.fixture
def user(keystone: Keystone) -> User:
    """A new user; the logins of earlier tests are forgotten."""
    made = keystone.add_user()
    keystone.patient.forget()
    keystone.hasty.forget()
    return made


@pytest.fixture
def service(keystone: Keystone) -> Iterator[Service]:
    with Service(keystone.patient) as running:
        yield running


@pytest.fixture
def connect(open_client: Any, service: Service, user: User) -> Callable[..., Any]:
    """Opens a client with credentials; ``project_id`` is the user's when it is not given."""

    def open_(auth: IamPasswordAuth, **settings: Any) -> Any:
        settings = {"project_id": user.project_id, "endpoint": service.url, **settings}
        return open_client(auth=auth, trust_env=False, environ={}, **settings)

    return open_


def pauses(client: Any, count: int) -> list[Job | ReplicationError]:
    """What so many calls at once come to."""
    if isinstance(client, Client):

        def once(_: int) -> Job | ReplicationError:
            try:
                return client.pause(INSTANCE, TASK)
            except ReplicationError as error:
                return error

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(once, range(count)))

    async def together() -> list[Any]:
        calls = [client.client.pause(INSTANCE, TASK) for _ in range(count)]
        return await asyncio.gather(*calls, return_exceptions=True)

    return client._runner.run(together())


def test_login(keystone: Keystone, service: Service, user: User, connect: Any) -> None:
    """The first call logs in and carries a token that Keystone issued to this user."""
    auth = IamPasswordAuth(**user.login(iam_endpoint=keystone.patient.url))
    with connect(auth) as client:
        assert isinstance(client.pause(INSTANCE, TASK), Job)
        assert isinstance(client.resume(INSTANCE, TASK), Job)
    assert keystone.patient.logins() == [201]
    [token] = set(service.tokens())
    known = keystone.patient.token(token)
    assert known is not None
    assert known["user"]["id"] == user.id
    assert known["project"]["id"] == user.project_id


def test_openstack_variables(
    keystone: Keystone, service: Service, user: User, open_client: Any
) -> None:
    """The variables that OpenStack's own tools read are enough."""
    environ = {
        "OS_AUTH_URL": f"{keystone.patient.url}/v3",
        "OS_USERNAME": user.name,
        "OS_PASSWORD": user.password,
        "OS_USER_DOMAIN_NAME": ACCOUNT,
        "OS_PROJECT_ID": user.project_id,
    }
    with open_client(endpoint=service.url, environ=environ, trust_env=False) as client:
        assert isinstance(client.pause(INSTANCE, TASK), Job)
    assert keystone.patient.logins() == [201]


def test_one_login_for_a_hundred_calls(
    keystone: Keystone, service: Service, user: User, connect: Any
) -> None:
    """A hundred calls that begin at once share one login, and so do those that follow."""
    auth = IamPasswordAuth(**user.login(iam_endpoint=keystone.patient.url))
    with connect(auth) as client:
        replies = pauses(client, 100) + pauses(client, 10)
    assert [reply for reply in replies if not isinstance(reply, Job)] == []
    assert keystone.patient.logins() == [201]
    assert len(set(service.tokens())) == 1
    assert service.statuses == [200] * 110


def test_expiry(keystone: Keystone, service: Service, user: User, connect: Any) -> None:
    """A token that ends is renewed before it is sent; by a clock that is behind, after the 401."""
    prompt = IamPasswordAuth(**user.login(iam_endpoint=keystone.hasty.url))
    began = time.time()
    behind = IamPasswordAuth(**user.login(iam_endpoint=keystone.hasty.url), clock=lambda: began)
    with connect(prompt) as client, connect(behind) as late:
        client.pause(INSTANCE, TASK)
        late.pause(INSTANCE, TASK)
        first = service.tokens()
        ends = []
        for token in first:
            known = keystone.hasty.token(token)
            assert known is not None
            ends.append(datetime.fromisoformat(known["expires_at"]).timestamp())
        time.sleep(max(ends) - time.time() + 0.1)
        assert [keystone.hasty.token(token) for token in first] == [None, None]

        client.pause(INSTANCE, TASK)
        assert service.statuses == [200, 200, 200]
        assert keystone.hasty.logins() == [201, 201, 201]

        late.pause(INSTANCE, TASK)
        assert service.statuses == [200, 200, 200, 401, 200]
        assert keystone.hasty.logins() == [201, 201, 201, 201]
    assert len(set(service.tokens())) == 4
    assert keystone.patient.logins() == []


def test_revocation(keystone: Keystone, service: Service, user: User, connect: Any) -> None:
    """A token that Keystone takes back is renewed once, however many calls learn of it."""
    auth = IamPasswordAuth(**user.login(iam_endpoint=keystone.patient.url))
    with connect(auth) as client:
        client.pause(INSTANCE, TASK)
        keystone.patient.revoke(service.tokens()[0])
        replies = pauses(client, 20)
    assert [reply for reply in replies if not isinstance(reply, Job)] == []
    assert keystone.patient.logins() == [201, 201]
    assert service.statuses.count(200) == 21


def test_refused_again(keystone: Keystone, service: Service, user: User, connect: Any) -> None:
    """A service that refuses a new token as well is not asked a third time."""
    auth = IamPasswordAuth(**user.login(iam_endpoint=keystone.patient.url))
    elsewhere = "0483b6b16e954cb88930a360d2c4e663"
    with connect(auth, project_id=elsewhere) as client:
        with pytest.raises(AuthenticationError, match=r"^401 APIGW\.0301 ") as caught:
            client.pause(INSTANCE, TASK)
    assert caught.value.attempts == 2
    assert service.statuses == [401, 401]
    assert keystone.patient.logins() == [201, 201]


def test_disabled_user(keystone: Keystone, service: Service, user: User, connect: Any) -> None:
    """A user who is disabled loses the token, and the login in its place is refused."""
    auth = IamPasswordAuth(**user.login(iam_endpoint=keystone.patient.url))
    with connect(auth) as client:
        client.pause(INSTANCE, TASK)
        keystone.disable(user)
        with pytest.raises(
            AuthenticationError, match=r"The login at 127\.0\.0\.1:\d+ was rejected"
        ):
            client.pause(INSTANCE, TASK)
    assert service.statuses == [200, 401]
    assert keystone.patient.logins() == [201, 401]


def test_wrong_password(keystone: Keystone, service: Service, user: User, connect: Any) -> None:
    """A refused login is an error that says so, is never repeated, and shows no password."""
    wrong = "Not the p4ssword"
    auth = IamPasswordAuth(**user.login(password=wrong, iam_endpoint=keystone.patient.url))
    with connect(auth) as client:
        replies = pauses(client, 20) + pauses(client, 1)
    assert keystone.patient.logins() == [401]
    assert service.received == []
    for error in replies:
        assert isinstance(error, AuthenticationError)
        assert error.status == 401
        assert re.search(REJECTED, str(error))
        assert "Nothing else was sent" in str(error)
        shown = "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
        assert "bridge.py" in shown
        for text in (repr(error), str(error), shown, repr(auth)):
            assert wrong not in text


def test_scope_by_name(keystone: Keystone, service: Service, user: User, connect: Any) -> None:
    """Keystone refuses a project by name alone, which is the form that the vendor's pages show.

    It wants the project's domain beside it. By ID works on both.
    """
    by_name = user.login(project_id=None, region=REGION, iam_endpoint=keystone.patient.url)
    with connect(IamPasswordAuth(**by_name)) as client:
        with pytest.raises(AuthenticationError, match="Expecting to find domain") as caught:
            client.pause(INSTANCE, TASK)
    assert caught.value.status == 400
    assert keystone.patient.logins() == [400]
    assert service.received == []


def test_project_lookup(keystone: Keystone) -> None:
    """The project of a region is found by its name."""
    admin = TokenAuth(keystone.admin_token)
    found = find_project_id(REGION, auth=admin, iam_endpoint=keystone.patient.url, trust_env=False)
    assert found == keystone.project_id
    with pytest.raises(NotFoundError, match="IAM has no project named cn-north-4"):
        find_project_id(
            "cn-north-4", auth=admin, iam_endpoint=keystone.patient.url, trust_env=False
        )
