"""The vendor's own client and signer, on request. Runs in `.venv-official`.

Reads one JSON object a line from standard input and answers each with one on standard output.
"""

import base64
import hashlib
import ipaddress
import json
import sys
from typing import Any


def stay_here(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: nothing but loopback is ever connected to, or looked up.

    The client goes looking for credentials on the network when it believes to have none.
    """
    if event == "socket.connect":
        address = arguments[1]
    elif event == "socket.getaddrinfo":
        address = arguments
    else:
        return
    if not ipaddress.ip_address(address[0]).is_loopback:
        raise RuntimeError(f"{event} to {address[0]!r}: this is not loopback")


sys.addaudithook(stay_here)

# Only there in .venv-official.
from huaweicloudsdkcore.auth.credentials import BasicCredentials  # noqa: E402
from huaweicloudsdkcore.exceptions.exceptions import SdkException  # noqa: E402
from huaweicloudsdkcore.sdk_request import SdkRequest  # noqa: E402
from huaweicloudsdkcore.signer.signer import Signer  # noqa: E402
from huaweicloudsdkgaussdb import v3  # noqa: E402


class OpenSigner(Signer):
    """The signer, keeping the canonical request that it makes on the way."""

    canonical = ""

    def _process_canonical_request(self, request: SdkRequest, signed_headers: list[str]) -> str:
        self.canonical = super()._process_canonical_request(request, signed_headers)
        return self.canonical


def credentials(message: dict[str, Any]) -> BasicCredentials:
    """Always explicit keys."""
    made = BasicCredentials(message["access_key"], message["secret_key"], message.get("project_id"))
    if not made.ak or not made.sk:
        raise ValueError("dummy keys are needed")
    return made.with_security_token(message.get("security_token"))


def sign(message: dict[str, Any]) -> dict[str, Any]:
    """The Authorization header for a request, and the hash of its canonical form."""
    request = SdkRequest(
        method=message["method"],
        schema="https",
        host=message["headers"]["host"],
        resource_path=message["path"],
        query_params=[(name, value) for name, value in message["query"]],
        header_params=message["headers"],
        body=base64.b64decode(message["body"]),
    )
    signer = OpenSigner(credentials(message))
    signed = signer.sign(request)
    return {
        "authorization": signed.header_params["Authorization"],
        "canonical_sha256": hashlib.sha256(signer.canonical.encode()).hexdigest(),
    }


def call(message: dict[str, Any]) -> dict[str, Any]:
    """What the client makes of one call: a job ID, the document that it read, or its error."""
    client = (
        v3.GaussDBClient.new_builder()
        .with_credentials(credentials(message))
        .with_endpoint(message["endpoint"])
        .build()
    )
    target = {"instance_id": message["instance_id"], "x_language": "en-us"}
    name, verb = message["task_name"], message["verb"]
    try:
        if verb == "pause":
            body = v3.PauseStarRocksDataReplication(task_name=name)
            reply = client.pause_star_rocks_data_replication(
                v3.PauseStarRocksDataReplicationRequest(body=body, **target)
            )
        elif verb == "resume":
            body = v3.ResumeStarRocksDataReplication(task_name=name)
            reply = client.resume_star_rocks_data_replication(
                v3.ResumeStarRocksDataReplicationRequest(body=body, **target)
            )
        elif verb == "list":
            reply = client.list_star_rocks_data_replications(
                v3.ListStarRocksDataReplicationsRequest(limit="2", offset="1", **target)
            )
        elif verb == "configuration":
            reply = client.list_star_rocks_data_replication_config(
                v3.ListStarRocksDataReplicationConfigRequest(task_name=name, **target)
            )
        else:
            reply = client.list_htap_instance_info(v3.ListHtapInstanceInfoRequest(**target))
    except SdkException as error:
        return {
            "error": type(error).__name__,
            "status": getattr(error, "status_code", None),
            "code": getattr(error, "error_code", None),
        }
    finally:
        client.get_http_client().close()
    if verb in ("pause", "resume"):
        return {"job_id": reply.job_id}
    document: dict[str, Any] = reply.to_json_object()
    return document


def main() -> None:
    does = {"sign": sign, "call": call}
    for line in sys.stdin:
        message = json.loads(line)
        print(json.dumps(does[message["do"]](message)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
