"""The client alone: it calls a service, and asks for nothing that was not installed with it."""

from __future__ import annotations

import http.server
import json
import threading
from importlib.metadata import distributions

from taurusdb_starrocks import Client, TokenAuth, spec


class Service(http.server.BaseHTTPRequestHandler):
    """Accepts whatever it is asked to do."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"job_id": "0b2b9b33-a2b8-4b4e-9f0a-2b3f6e1c7d10"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=server.serve_forever, daemon=True).start()
endpoint = f"http://127.0.0.1:{server.server_port}"
with Client(endpoint=endpoint, project_id="0" * 32, auth=TokenAuth("token")) as client:
    job = client.pause("9ac58f9b88744f8a87893d22f6ef9a28in17", "orders_sync")
assert job.id.startswith("0b2b9b33"), job
assert "\nopenapi: 3.1" in spec()

installed = {distribution.name.lower() for distribution in distributions()}
assert not installed & {"jsonschema-rs", "pyyaml", "starlette", "uvicorn"}, installed
