"""A mock server in Flask with three bugs that the conformance suite finds."""

import re
import uuid

from flask import Flask, abort, make_response, request

TOKEN = "a-token-of-our-own"
PROJECT, INSTANCE = "7c1f0e9d2b8a4c6d9e0f1a2b3c4d5e6f", "0a1b2c3d4e5f60718293a4b5c6d7e8f9in17"
BASE = "/v3/<project>/instances/<instance>/starrocks/databases/replication"
app = Flask(__name__)
stages = {"orders_sync": "Incremental", "billing_sync": "Paused"}


def reject(status, code, message):
    abort(make_response({"error_code": code, "error_msg": message}, status))


def check(project, instance):
    rules = {project: "[0-9A-Za-z]{32}", instance: "[0-9A-Za-z]{32}[a-z]{2}[0-9]{2}"}
    rules[request.headers.get("X-Language", "en-us")] = "en-us|zh-cn"
    if not all(re.fullmatch(rule, value) for value, rule in rules.items()):
        reject(400, "DBS.280001", "Parameter error.")
    if project != PROJECT:
        reject(403, "DBS.200010", "Forbidden.")
    if instance != INSTANCE:
        reject(404, "DBS.200022", "Instance not found.")  # Bug 1: the status should be 400.


def change(project, instance, stage):
    if request.headers.get("X-Auth-Token") != TOKEN:
        reject(401, "APIGW.0301", "Incorrect IAM authentication information")
    check(project, instance)
    document = request.get_json(silent=True)
    name = document.get("task_name") if isinstance(document, dict) else None
    # Bug 2: a name with white space around it is accepted.
    if not isinstance(name, str) or not re.fullmatch("[A-Za-z0-9_]{3,128}", name.strip()):
        reject(400, "DBS.280001", "Parameter error.")
    if name.strip() not in stages:
        reject(400, "DBS.05000091", "Task not found.")
    stages[name.strip()] = stage
    return {"job_id": str(uuid.uuid4())}


app.post(f"{BASE}/pause", defaults={"stage": "Paused"}, endpoint="pause")(change)
app.post(f"{BASE}/resume", defaults={"stage": "Incremental"}, endpoint="resume")(change)


@app.get(BASE)
def replications(project, instance):  # Bug 3: the token is not checked.
    check(project, instance)
    sent = [request.args.get("limit", "100"), request.args.get("offset", "0")]
    limit, offset = (int(text) if re.fullmatch("[0-9]{1,10}", text) else -1 for text in sent)
    if not (1 <= limit <= 100 and 0 <= offset <= 2147483647):
        reject(400, "DBS.280001", "Parameter error.")
    rows = [{"task_name": name, "stage": stage} for name, stage in stages.items()]
    return {"total_count": len(rows), "replications": rows[offset : offset + limit]}


@app.after_request
def identify(response):
    response.headers["X-Request-Id"] = uuid.uuid4().hex
    return response
