"""Apps of this process are tested as they are: ASGI and WSGI, from pytest and from programs."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess, run
from typing import Any

import pytest
from taurusdb_starrocks_conformance import Suite
from taurusdb_starrocks_conformance.apps import is_asgi, served

from tests.power.server import INSTANCE, PROJECT, TASK, TOKEN

SETTINGS: dict[str, Any] = {
    "token": TOKEN,
    "project_id": PROJECT,
    "instance_id": INSTANCE,
    "task_name": TASK,
    "hold": 0.2,
    "seed": 1,
    "examples": 2,
}
# Apps as somebody might have them, made of the right server that the tests have.
APPS = """
import threading
from http import HTTPStatus

from tests.power.server import Answer, Call, Service

service = Service()
lock = threading.Lock()


def answer(method, path, query, headers, body):
    with lock:
        service.calls += 1
        found = service.answer(Call(method, path, query, headers, body, service.calls))
    content = b"" if method == "HEAD" else found.body()
    headers = {**found.headers, "Content-Length": str(len(content))}
    return found.status, [(name, value) for name, value in headers.items() if value], content


def wsgi(environ, start_response):
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    if "CONTENT_TYPE" in environ:
        headers["content-type"] = environ["CONTENT_TYPE"]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    path, _, query = environ["REQUEST_URI"].partition("?")
    status, headers, content = answer(environ["REQUEST_METHOD"], path, query, headers, body)
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [content]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    status, headers, content = answer(scope["method"], path, query, headers, body)
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": content})
"""
# As the docs show it, and the same with settings that make a run short.
EXAMPLE = Path(__file__).parents[3] / "examples" / "conftest.py"
CONFTEST = """
import apps
from taurusdb_starrocks_conformance import Suite
def pytest_starrocks_conformance(): return Suite(apps.APP, **apps.SETTINGS)
"""
MY_STAND_IN = """
from apps import APP as app, SETTINGS
TOKEN, PROJECT_ID = SETTINGS["token"], SETTINGS["project_id"]
INSTANCE_ID, TASK_NAME = SETTINGS["instance_id"], SETTINGS["task_name"]
"""


@pytest.fixture
def theirs(tmp_path: Path) -> Callable[..., CompletedProcess[str]]:
    """Runs pytest where somebody has apps and three lines in a conftest.py."""

    def pytest_of(
        app: str, *arguments: str, more: str = "", conftest: str = CONFTEST
    ) -> CompletedProcess[str]:
        (tmp_path / "apps.py").write_text(
            f"{APPS}\nAPP, SETTINGS = {app}, {SETTINGS!r}\n{textwrap.dedent(more)}"
        )
        (tmp_path / "conftest.py").write_text(conftest)
        (tmp_path / "my_mock_server.py").write_text(MY_STAND_IN)
        (tmp_path / "test_theirs.py").write_text("def test_theirs(): pass\n")
        root = Path(__file__).parents[3]
        return run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments],
            env={"PYTHONPATH": f"{root}:{tmp_path}", "PATH": "/usr/bin:/bin"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return pytest_of


@pytest.mark.parametrize("app", ["asgi", "wsgi"])
def test_three_lines_run_the_suite(app: str, theirs: Callable[..., CompletedProcess[str]]) -> None:
    """Every check is a test, beside the tests that are there."""
    done = theirs(app, "-q", conftest=EXAMPLE.read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stdout[-4000:]
    assert "40 passed" in done.stdout, done.stdout[-4000:]
    assert "conformance: passed: no faults" in done.stdout


def test_a_fault_fails_its_check_and_no_other(
    theirs: Callable[..., CompletedProcess[str]],
) -> None:
    """With the request that shows it, and without the token; warnings are listed."""
    slip = """
    service.job = lambda: "always the same"
    right = service.finish
    def finish(call, answer):
        if answer.status == 405:
            answer.headers.pop("Allow", None)
        return right(call, answer)
    service.finish = finish
    """
    done = theirs("asgi", "-q", "-m", "conformance", more=slip)
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "job_id_is_new" in done.stdout
    assert "1 failed, 38 passed" in done.stdout, done.stdout[-4000:]
    assert "POST /v3/" in done.stdout
    assert TOKEN not in done.stdout
    assert "warning: allow_header_conformance" in done.stdout
    strict = theirs("asgi", "-q", "-m", "conformance", "--conformance-strict", more=slip)
    assert "2 failed, 37 passed" in strict.stdout, strict.stdout[-4000:]


def test_only_what_was_named_is_run(theirs: Callable[..., CompletedProcess[str]]) -> None:
    """Who names a file, or leaves the marker out, does not wait for the suite."""
    for arguments in (["test_theirs.py"], ["-m", "not conformance"], ["-k", "theirs"]):
        done = theirs("wsgi", "-q", *arguments)
        assert done.returncode == 0, done.stdout
        assert "1 passed" in done.stdout, done.stdout
        assert "conformance:" not in done.stdout


def test_several_workers_do_not_test_one_server(
    theirs: Callable[..., CompletedProcess[str]],
) -> None:
    """They would pause and resume the same task at the same time. Nothing is sent."""
    from tests.power.server import Service, serving  # noqa: PLC0415 - as somebody would

    service = Service()
    with serving(service) as url:
        done = theirs(repr(url), "-q", "-n", "2", "-k", "pages_fit or theirs")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout, done.stdout[-3000:]
    assert "2 workers would test http://127.0.0.1:" in done.stdout
    assert service.calls == 0


def test_state_is_set_up_before_the_run(theirs: Callable[..., CompletedProcess[str]]) -> None:
    """And torn down after it."""
    more = """
    from contextlib import contextmanager
    tasks = service.instances.pop("0a1b2c3d4e5f60718293a4b5c6d7e8f9in17")
    @contextmanager
    def setup():
        service.instances["0a1b2c3d4e5f60718293a4b5c6d7e8f9in17"] = tasks
        yield
        print("torn down")
    SETTINGS["setup"] = setup
    """
    done = theirs("wsgi", "-q", "-s", "-k", "pages_fit or change_lasts", more=more)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "torn down" in done.stdout


def test_an_app_that_always_fails_is_one_finding(
    theirs: Callable[..., CompletedProcess[str]],
) -> None:
    """Whatever is sent to it. Each check also says that the task could not be restored."""
    more = """
    SETTINGS["settle"] = 1.0
    async def APP(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body"})
    """
    done = theirs("asgi", "-q", "-m", "conformance", more=more)
    assert done.returncode == 1
    assert "not_a_server_error: any request" in done.stdout, done.stdout[-3000:]
    assert "not_a_server_error: task_name" not in done.stdout
    assert "MAY STILL BE PAUSED" in done.stdout


def test_a_program_runs_the_suite(tmp_path: Path) -> None:
    """With a URL or an app; what was found is an object, and reports are written where wanted."""
    from tests.power.server import Service, serving  # noqa: PLC0415 - as somebody would

    @contextmanager
    def noted() -> Iterator[None]:
        events.append("set up")
        yield
        events.append("torn down")

    events: list[str] = []
    with serving(Service()) as url:
        outcome = Suite(url, setup=noted, reports=tmp_path, **SETTINGS).run()
    assert not outcome.failed(strict=True)
    assert (tmp_path / "conformance.html").exists()
    assert events == ["set up", "torn down"]


def test_kinds_of_app_are_told_apart() -> None:
    """Functions and objects, of both kinds."""

    async def asgi(scope: Any, receive: Any, send: Any) -> None: ...

    def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
        return []

    class Asgi:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    class Wsgi:
        def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
            return []

    assert is_asgi(asgi)
    assert is_asgi(Asgi())
    assert not is_asgi(wsgi)
    assert not is_asgi(Wsgi())


def test_an_app_whose_start_fails_is_no_url() -> None:
    """ASGI apps may fail when they start: then there is nothing to be tested."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(RuntimeError, match="does not start"), served(app):
        pass
