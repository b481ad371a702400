"""What is loaded by a program that uses one network, and what an error takes with it."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from taurusdb_starrocks._messages import Unanswered

from tests.transport.callers import TOKEN, Open, ask
from tests.wrapper.loopback import Server

LOADED = """
import sys, types
package = types.ModuleType("taurusdb_starrocks")  # Without what its __init__ loads.
package.__path__ = [sys.argv[1]]
sys.modules["taurusdb_starrocks"] = package
import taurusdb_starrocks._transport.{module}
print(sorted({{"asyncio", "anyio", "httpcore", "httpx", "ssl"}} & set(sys.modules)))
"""
WRAPPER = Path(__file__).parents[2] / "wrapper" / "taurusdb_starrocks"


@pytest.mark.parametrize(
    ("module", "loaded"), [("sockets", "[]"), ("streams", "['asyncio', 'ssl']")]
)
def test_modules(module: str, loaded: str) -> None:
    """The sync network loads neither asyncio nor TLS; neither network loads httpx's own."""
    command = [sys.executable, "-c", LOADED.format(module=module), str(WRAPPER)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout.strip() == loaded


@pytest.mark.parametrize(
    "answer", [b"", f"SSH-2.0 {TOKEN}\r\n\r\n".encode(), f"HTTP/1.1 200 {TOKEN}\r\nX".encode()]
)
def test_errors_hold_no_secret(open_network: Open, answer: bytes) -> None:
    """No text of an error, of its causes or of their frames' variables repeats the token."""
    with Server(lambda sock: sock.recv(65_536) and sock.sendall(answer)) as server:
        with pytest.raises(Unanswered) as caught:
            ask(open_network(), server.url)
    error = caught.value
    assert TOKEN not in "".join(traceback.format_exception(error))
    link: BaseException | None = error.__cause__
    while link is not None:
        assert link.__traceback__ is None
        assert TOKEN not in repr(link)
        link = link.__cause__ or link.__context__
