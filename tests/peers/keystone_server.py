"""Serves OpenStack Keystone on a free port of loopback. Runs in `.venv-keystone`.

Its configuration is found through OS_KEYSTONE_CONFIG_DIR. Writes its port to standard output when
it is ready, and a line for every request to the file that is its only argument.
"""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def logged(application: Callable[..., Iterable[bytes]], path: Path) -> Callable[..., Any]:
    """The application, with method, path and status of each request written to a file."""

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, *arguments: Any) -> Any:
            with path.open("a") as log:
                log.write(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {status[:3]}\n")
            return start_response(status, *arguments)

        return application(environ, start)

    return call


def main() -> None:
    log = Path(sys.argv.pop())
    # Keystone logs to standard output, which nobody reads after the first line.
    ready = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Both are only there in .venv-keystone; Keystone reads sys.argv when it is imported.
    from keystone.server.wsgi import initialize_public_application  # noqa: PLC0415
    from werkzeug.serving import make_server  # noqa: PLC0415

    application = logged(initialize_public_application(), log)
    # One request at a time: threads that share a SQLite file mostly wait for each other.
    server = make_server("127.0.0.1", 0, application)
    print(server.server_port, file=ready, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
