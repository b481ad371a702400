"""The command that reproduces a finding: curl if one request is enough, otherwise the suite."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from taurusdb_starrocks_conformance.exchange import Request
from taurusdb_starrocks_conformance.findings import Example, Finding
from taurusdb_starrocks_conformance.judge import Judge
from taurusdb_starrocks_conformance.target import Target
from taurusdb_starrocks_conformance.task import change_of

from .secrets import Secrets

COMMAND = "taurusdb-starrocks-conformance"
LONGEST = 2000
# Headers that curl sends on its own, or that are irrelevant for the finding.
LEFT_OUT = {
    "host",
    "user-agent",
    "accept-encoding",
    "connection",
    "content-length",
    "x-schemathesis-testcaseid",
}


class Commands:
    """Commands for the findings of one run, and the files that they read.

    Args:
        target: The target.
        seed: Seed of all random values.
        folder: Folder of the reports.
    """

    def __init__(self, target: Target, seed: int, folder: Path) -> None:
        self._target = target
        self._seed = seed
        self._folder = folder
        self._secrets = Secrets(target.token)
        self.files: dict[str, str] = {}

    def command(self, finding: Finding, example: Example) -> str:
        """The command for an example."""
        request = example.exchange.request if example.exchange else None
        if request is not None and self._shows_alone(finding, example):
            # For a change, the task must be in the right stage first.
            simple = change_of(request, self._target) is None
            if simple and (command := curl(request, self._target)) is not None:
                return command
        name = f"replay-{len(self.files) + 1:02d}-{finding.check}.json"
        self.files[name] = json.dumps(self._recipe(finding, example), indent=1)
        return f"{COMMAND} {shlex.quote(self._target.url)} --replay {self._folder / name}"

    def _shows_alone(self, finding: Finding, example: Example) -> bool:
        return example.alone and example.exchange is not None and self._how(finding, example) != ""

    def _how(self, finding: Finding, example: Example) -> str:
        """How to recognize the finding in a response: by a check, by its status, or not at all."""
        exchange = example.exchange
        assert exchange is not None
        if any(misfit.check == finding.check for misfit in Judge(self._target).misfits(exchange)):
            return "check"
        # Findings of schemathesis checks depend only on the response.
        known = {"request_id", "response_time"}
        fuzzed = example.step.startswith("schemathesis")
        return "status" if fuzzed and finding.check not in known else ""

    def _recipe(self, finding: Finding, example: Example) -> dict[str, Any]:
        """The data for `--replay`: a request and a way to recognize the finding, or a step."""
        recipe: dict[str, Any] = {
            "check": finding.check,
            "cause": finding.cause,
            "message": self._secrets.hide(example.message),
            "seed": self._seed,
            "step": example.step,
        }
        exchange = example.exchange
        if exchange is None or not self._shows_alone(finding, example):
            return recipe
        expect = exchange.expect
        return recipe | {
            "request": {
                "method": exchange.request.method,
                "path": self._secrets.hide(exchange.request.path),
                "headers": [
                    [name, self._secrets.hide(value)] for name, value in exchange.request.headers
                ],
                "body": self._secrets.hide(exchange.request.body.decode("latin-1")),
            },
            "tells": self._how(finding, example),
            "status": exchange.status,
            "expect": None
            if expect is None
            else {
                "check": expect.check,
                "what": expect.what,
                "allowed": sorted(expect.allowed),
                "tolerated": sorted(expect.tolerated),
                "may_drop": expect.may_drop,
                "slip": expect.slip,
            },
        }


def curl(request: Request, target: Target) -> str | None:
    """The command that repeats a request; None if curl or bash cannot do it.

    The command reads the token from the environment.
    """
    parts = urlsplit(target.url)
    secrets = Secrets(target.token)
    url = f"{parts.scheme}://{parts.netloc}{request.path}"
    texts = [url, *(text for header in request.headers for text in header)]
    if (
        request.method == "HEAD"  # curl would wait for a body.
        or len(request.body) > LONGEST
        or sum(map(len, texts)) > 2 * LONGEST
        or any(char in text for text in texts for char in "\0\r\n")
        or not url.isascii()
    ):
        return None
    words = ["curl", "-i", "-g", "--path-as-is", "-X", request.method]
    for name, value in request.headers:
        if name.lower() not in LEFT_OUT and (name, value) != ("Accept", "*/*"):
            words += ["-H", _word(f"{name}: {value}" if value else f"{name};", secrets)]
    before = ""
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        if request.header("Content-Type") is None:
            words += ["-H", "Content-Type:"]
        text = request.body.decode("latin-1")
        if text.isascii() and text.isprintable():
            words += ["--data-raw", _word(text, secrets)]
        else:
            before = f"printf {_octal(request.body)} | "
            words += ["--data-binary", "@-"]
    words.append(_word(url, secrets))
    return before + " ".join(words)


def _word(text: str, secrets: Secrets) -> str:
    """A shell word, with a variable instead of the token."""
    return (
        "".join(
            _quoted(piece) if isinstance(piece, str) else f'"{piece.shell}"'
            for piece in secrets.pieces(text)
        )
        or "''"
    )


def _quoted(text: str) -> str:
    """Text for the shell. Bytes that are not allowed in a word use bash escapes."""
    if text.isascii() and text.isprintable():
        return shlex.quote(text)
    parts = []
    for char in text:
        if char in "\\'":
            parts.append("\\" + char)
        elif char.isascii() and char.isprintable():
            parts.append(char)
        else:
            parts.append("".join(f"\\x{byte:02x}" for byte in char.encode("latin-1", "replace")))
    return "$'" + "".join(parts) + "'"


def _octal(body: bytes) -> str:
    """Bytes as a format for the shell's printf."""
    shown = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in "\\'%" else f"\\{byte:03o}"
        for byte in body
    )
    return f"'{shown}'"
