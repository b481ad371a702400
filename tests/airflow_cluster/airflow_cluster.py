"""Airflow as people run it: scheduler, API server, DAG processor, triggerer and two workers."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from processes import Program, free_port, until

BIN = Path(sys.executable).parent
COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
    "worker-1": ["celery", "worker", "--celery-hostname", "one@%h", "--skip-serve-logs"],
    "worker-2": ["celery", "worker", "--celery-hostname", "two@%h", "--skip-serve-logs"],
}


class Cluster:
    """A running Airflow, and what a person does with it over its API.

    Attributes:
        programs: Its programs, by name.
    """

    def __init__(self, home: Path, environ: dict[str, str], url: str) -> None:
        self.home = home
        self.environ = environ
        self.programs: dict[str, Program] = {}
        self._client = httpx.Client(base_url=f"{url}/api/v2", timeout=60.0)
        self._url = url

    def run(self, *arguments: str) -> str:
        """Run a command of Airflow's."""
        done = subprocess.run(
            [BIN / "airflow", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env=self.environ,
            cwd="/",
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        """Start everything, and wait until each says that it is well."""
        for name, arguments in COMPONENTS.items():
            command = [str(BIN / "airflow"), *arguments]
            log = self.home / f"{name}.log"
            self.programs[name] = Program(command, log, self.environ)
        until(self._healthy, f"Airflow, see {self.home}", seconds=120, every=1.0)
        self._log_in()

    def _healthy(self) -> bool:
        for name, program in self.programs.items():
            assert program.running, f"{name} has ended: {program.log.read_text()[-3000:]}"
        try:
            health = self._client.get("/monitor/health").json()
        except (httpx.TransportError, ValueError):
            return False
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        ready = [self.programs[name].log.read_text() for name in ("worker-1", "worker-2")]
        return all(health[part]["status"] == "healthy" for part in parts) and all(
            " ready." in text for text in ready
        )

    def _log_in(self) -> None:
        """With the password that Airflow made for its administrator."""
        kept = self.home / "simple_auth_manager_passwords.json.generated"
        ((user, password),) = json.loads(kept.read_text(encoding="utf-8")).items()
        given = httpx.post(f"{self._url}/auth/token", json={"username": user, "password": password})
        given.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {given.json()['access_token']}"

    def stop(self) -> None:
        self._client.close()
        for program in reversed(self.programs.values()):
            program.stop()

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Call the API."""
        response = self._client.request(method, path, **options)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def dag_ids(self) -> set[str]:
        found = self.call("GET", "/dags", params={"limit": 100})["dags"]
        return {dag["dag_id"] for dag in found}

    def turn(self, dag_id: str, *, on: bool) -> None:
        """Turn a DAG on or off, which Airflow calls to unpause or pause it."""
        self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": not on})

    def scheduled_run(self, dag_id: str) -> str:
        """Turn a DAG on, and return the run that its schedule starts."""
        self.turn(dag_id, on=True)
        runs: list[dict[str, Any]] = []
        path = f"/dags/{dag_id}/dagRuns"
        until(
            lambda: runs.extend(self.call("GET", path)["dag_runs"]) or runs,  # type: ignore[func-returns-value]
            f"a run of {dag_id}",
            seconds=60,
        )
        return str(runs[0]["dag_run_id"])

    def trigger(self, dag_id: str) -> str:
        """Turn a DAG on, if it is off, and start a run."""
        self.turn(dag_id, on=True)
        run = self.call("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None})
        return str(run["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        return str(self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_instances(self, dag_id: str, run_id: str = "~", **where: Any) -> list[dict[str, Any]]:
        """All task instances of a run or a DAG."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.call(
                "GET",
                f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances",
                params={"limit": 100, "offset": len(found), **where},
            )
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """States of the tasks of a run that has no mapped ones."""
        return {one["task_id"]: str(one["state"]) for one in self.task_instances(dag_id, run_id)}

    def returned(self, one: dict[str, Any]) -> Any:
        """What a task instance returned, if it did."""
        entries = (
            f"/dags/{one['dag_id']}/dagRuns/{one['dag_run_id']}/taskInstances/{one['task_id']}"
            "/xcomEntries/return_value"
        )
        response = self._client.get(entries, params={"map_index": one["map_index"]})
        return response.json()["value"] if response.is_success else None


@contextlib.contextmanager
def airflow(home: Path, *, database: str, broker: str) -> Iterator[Cluster]:
    """Airflow with its default configuration, but for where its parts find each other."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ = {
        **{name: value for name, value in os.environ.items() if "AIRFLOW" not in name},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql://{database}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
        # Celery's workers refuse to be run by root, unless this is set.
        "C_FORCE_ROOT": "1",
        "NO_PROXY": "127.0.0.1",
    }
    cluster = Cluster(home, environ, url)
    try:
        yield cluster
    finally:
        cluster.stop()
