"""The vendor's client and signer, in a process of their own."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from environments import HERE, line, running


class Official:
    """The vendor's client. It has the keys that it is given with each call, and no others."""

    def __init__(self, process: subprocess.Popen[str], home: Path) -> None:
        self._process = process
        self.home = home

    def _ask(self, message: Mapping[str, object]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(message)}\n")
        self._process.stdin.flush()
        return json.loads(line(self._process, self.home))

    def sign(
        self,
        access_key: str,
        secret_key: str,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Any:
        """The official Authorization header for a request as it stands on the wire.

        Its signer starts from the query's pairs, and writes the query that its client sends; so
        the pairs are decoded here, by the standard library.
        """
        path, _, query = target.partition("?")
        return self._ask(
            {
                "do": "sign",
                "access_key": access_key,
                "secret_key": secret_key,
                "method": method,
                "path": path,
                "query": parse_qsl(query, keep_blank_values=True),
                "headers": dict(headers),
                "body": base64.b64encode(body).decode(),
            }
        )

    def call(self, verb: str, **what: object) -> Any:
        """What the official client makes of a call: a job ID, the document, or its error."""
        return self._ask({"do": "call", "verb": verb, **what})


@contextmanager
def official_client(home: Path) -> Iterator[Official]:
    script = str(HERE / "official_client.py")
    with running(".venv-official", "python", script, home=home) as process:
        yield Official(process, home)
