"""Fuzz a stand-in of your own with the contract that comes with the package."""

import schemathesis
import yaml
from my_stand_in import INSTANCE_ID, PROJECT_ID, TASK_NAME, TOKEN, app  # yours: ASGI or WSGI
from taurusdb_starrocks import spec

schema = schemathesis.openapi.from_dict(yaml.safe_load(spec()))
schema.app = app


@schemathesis.hook
def before_call(context, case, kwargs):
    """Ask for what the stand-in knows; leave what was made malformed as it is."""
    real = {"project_id": (PROJECT_ID, 32), "instance_id": (INSTANCE_ID, 36)}
    case.path_parameters = {
        name: real[name][0] if len(str(value)) == real[name][1] and value.isalnum() else value
        for name, value in case.path_parameters.items()
    }
    if isinstance(case.body, dict) and case.meta.generation.mode.is_positive:
        case.body = {**case.body, "task_name": TASK_NAME}


@schema.parametrize()
def test_my_stand_in_follows_the_contract(case):
    case.call_and_validate(headers={"X-Auth-Token": TOKEN})
