"""Run the conformance suite on your own app with pytest."""

from my_mock_server import INSTANCE_ID, PROJECT_ID, TASK_NAME, TOKEN, app  # ASGI or WSGI
from taurusdb_starrocks_conformance import Suite


def pytest_starrocks_conformance():
    return Suite(
        app, token=TOKEN, project_id=PROJECT_ID, instance_id=INSTANCE_ID, task_name=TASK_NAME
    )
