"""The description of this provider. It is imported before Airflow is set up, so without Airflow."""

from __future__ import annotations

from typing import Any

from taurusdb_starrocks import __version__

_PACKAGE = "taurusdb_starrocks.airflow"


def get_provider_info() -> dict[str, Any]:
    """The provider's description, with the connection form."""
    return {
        "package-name": "taurusdb-starrocks",
        "name": "TaurusDB StarRocks replication",
        "description": "Pause and resume StarRocks replication in Huawei Cloud TaurusDB.",
        "versions": [__version__],
        "integrations": [{"integration-name": "TaurusDB StarRocks", "tags": ["service"]}],
        "operators": [_modules("operators", "windows")],
        "sensors": [_modules("sensor")],
        "hooks": [_modules("hook")],
        "triggers": [_modules("trigger")],
        "connection-types": [
            {
                "connection-type": "taurusdb_starrocks",
                "hook-name": "TaurusDB StarRocks replication",
                "hook-class-name": f"{_PACKAGE}.hook.StarRocksReplicationHook",
                "conn-fields": _FIELDS,
                "ui-field-behaviour": {
                    "hidden-fields": ["host", "port", "schema", "extra"],
                    "relabeling": {
                        "login": "Access key, or IAM user",
                        "password": "Secret key, password, or token",
                    },
                    "placeholders": {},
                },
            }
        ],
    }


def _modules(*names: str) -> dict[str, Any]:
    return {
        "integration-name": "TaurusDB StarRocks",
        "python-modules": [f"{_PACKAGE}.{name}" for name in names],
    }


def _text(label: str, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "label": label,
        "description": description,
        "schema": {"type": ["string", "null"], **schema},
    }


# None of them is secret: secrets are in the password field, which Airflow masks.
_FIELDS = {
    "auth": _text(
        "Authentication",
        "access_key signs each request with login and password; password logs in at IAM; token "
        "sends the password as a token; environment uses the worker's environment variables",
        enum=["access_key", "password", "token", "environment"],
        default="access_key",
    ),
    "region": _text("Region", "Region of the instances, for example ap-southeast-3"),
    "project_id": _text("Project ID", "Project in that region"),
    "account": _text("Account", "Account (IAM domain) of the user; for password only"),
    "endpoint": _text("Endpoint", "Base URL, instead of a region"),
    "iam_endpoint": _text("IAM endpoint", "IAM host, instead of the region's; for password only"),
    "instance_id": _text(
        "Instance to test with", "StarRocks instance (ends in in17) whose tasks Test lists"
    ),
}
