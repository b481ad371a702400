"""Fuzz your own mock server with the OpenAPI specification in the package."""

import schemathesis
import yaml
from my_mock_server import (  # Yours: an ASGI or WSGI app.
    INSTANCE_ID,
    PROJECT_ID,
    SOURCE_INSTANCE_ID,
    TASK_NAME,
    TOKEN,
    app,
)
from taurusdb_starrocks import spec

schema = schemathesis.openapi.from_dict(yaml.safe_load(spec()))
schema.app = app


@schemathesis.hook
def before_call(context, case, kwargs):
    """Use the IDs that the mock server has; leave malformed IDs as they are."""
    instance_id = SOURCE_INSTANCE_ID if case.operation.path.endswith("/htap") else INSTANCE_ID
    real = {"project_id": (PROJECT_ID, 32), "instance_id": (instance_id, 36)}
    case.path_parameters = {
        name: real[name][0] if len(str(value)) == real[name][1] and value.isalnum() else value
        for name, value in case.path_parameters.items()
    }
    if not case.meta.generation.mode.is_positive:
        return
    if isinstance(case.body, dict):
        case.body = {**case.body, "task_name": TASK_NAME}
    if "task_name" in (case.query or {}):
        case.query = {**case.query, "task_name": TASK_NAME}


@schema.parametrize()
def test_responses_match_the_specification(case):
    case.call_and_validate(headers={"X-Auth-Token": TOKEN})
