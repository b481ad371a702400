"""What the package is from outside: its names, its words, and what importing it costs."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import taurusdb_starrocks as package
import yaml

NAMES = [
    "AccessKeyAuth",
    "AlreadyPausedError",
    "AsyncClient",
    "AsyncWindow",
    "AuthenticationError",
    "BadRequestError",
    "Client",
    "Configuration",
    "ConfigurationError",
    "ConflictError",
    "Credentials",
    "Earlier",
    "IamPasswordAuth",
    "Instance",
    "Job",
    "NotFoundError",
    "NotResumedError",
    "NotSentError",
    "Origin",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "Poll",
    "RateLimitError",
    "Rebuild",
    "Recorder",
    "ReplicationError",
    "Request",
    "RetryPolicy",
    "ServerError",
    "ServiceError",
    "Stage",
    "Task",
    "TaskFailedError",
    "TokenAuth",
    "UnsupportedOperationError",
    "WaitTimeoutError",
    "Waiting",
    "Window",
    "WindowRecorder",
    "__version__",
    "alert",
    "find_project_id",
    "regions",
    "spec",
]


def run(code: str) -> str:
    """What a fresh process prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_public_names() -> None:
    """These names are public, and no others are."""
    assert package.__all__ == NAMES
    public = {name for name in dir(package) if not name.startswith("_")}
    found = {
        name
        for name in public
        if getattr(getattr(package, name), "__module__", "").startswith("taurusdb_starrocks")
    }
    assert found | {"__version__"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_public_names_are_described(name: str) -> None:
    """Every public name, and every public method of one, says what the caller gets."""
    value = getattr(package, name)
    assert inspect.getdoc(value)
    if inspect.isclass(value):
        for method, function in inspect.getmembers(value, inspect.isfunction):
            if not method.startswith("_") and function.__module__.startswith("taurusdb_starrocks"):
                assert inspect.getdoc(function), f"{name}.{method}"


def test_both_clients_have_the_same_verbs() -> None:
    """Whatever one client can do, the other can, with the same arguments."""

    def verbs(kind: type) -> dict[str, inspect.Signature]:
        return {
            name.removeprefix("a") if name == "aclose" else name: inspect.signature(value).replace(
                return_annotation=inspect.Signature.empty
            )
            for name, value in inspect.getmembers(kind, callable)
            if not name.startswith("_")
        }

    assert verbs(package.Client) == verbs(package.AsyncClient)
    assert inspect.signature(package.Client) == inspect.signature(package.AsyncClient)


def test_import_is_small() -> None:
    """Importing loads nothing of the extras, nor httpx's command line where click is installed."""
    code = """
import sys
import taurusdb_starrocks
unwanted = ("starlette", "jsonschema_rs", "uvicorn", "click", "rich", "yaml", "opentelemetry",
            "trio", "importlib.metadata", "taurusdb_starrocks_emulator")
print([name for name in unwanted if name in sys.modules])
"""
    assert run(code) == "[]\n"


def test_import_reads_nothing() -> None:
    """Importing looks at no variable that means something here, and at no profile."""
    code = """
import os, sys
import httpx, attrs, anyio, importlib.metadata, urllib.request, taurusdb_starrocks_api
import taurusdb_starrocks_api.api.task_status.list_star_rocks_data_replications
import taurusdb_starrocks_api.api.data_synchronization.pause_star_rocks_data_replication
import taurusdb_starrocks_api.api.data_synchronization.resume_star_rocks_data_replication
read = []
class Environ(dict):
    def __getitem__(self, name):
        read.append(name)
        return super().__getitem__(name)
    def get(self, name, default=None):
        read.append(name)
        return super().get(name, default)
os.environ = Environ(os.environ)
def opened(event, arguments):
    if event == "open" and "huaweicloud" in str(arguments[0]):
        read.append(arguments[0])
sys.addaudithook(opened)
import taurusdb_starrocks
print(sorted(set(name for name in read if not str(name).startswith("PYTHON"))))
"""
    assert run(code) == "[]\n"


def test_spec_is_the_contract() -> None:
    """The contract comes along with the package."""
    assert yaml.safe_load(package.spec())["openapi"].startswith("3.1")
