"""The built reference has an entry for each public member, and shows defaults as they are."""

from __future__ import annotations

import importlib
import re
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
API = ROOT / "tests" / "package" / "public-api.txt"
# Public for other modules of this project, or called by Python. Users do not need them.
INTERNAL = {
    "taurusdb_starrocks.AlreadyPausedError.args",
    "taurusdb_starrocks.AsyncWindow.signaled",
    "taurusdb_starrocks.AsyncWindow.takes",
    "taurusdb_starrocks.Credentials.authenticate",
    "taurusdb_starrocks.IamPasswordAuth.authenticate",
    "taurusdb_starrocks.IamPasswordAuth.order",
    "taurusdb_starrocks.IamPasswordAuth.receive",
    "taurusdb_starrocks.Window.signaled",
    "taurusdb_starrocks.durable.Batch.end",
    "taurusdb_starrocks.durable.Journal.aread",
    "taurusdb_starrocks.durable.Journal.awrite",
    "taurusdb_starrocks.durable.Journal.lock_path",
    "taurusdb_starrocks.durable.Journal.read",
    "taurusdb_starrocks.durable.Journal.write",
    "taurusdb_starrocks.durable.Standing.of",
    "taurusdb_starrocks_emulator.Fault.behavior",
    "taurusdb_starrocks_emulator.Fault.is_for",
    "taurusdb_starrocks_emulator.Fault.retry_after_headers",
    "taurusdb_starrocks_emulator.Faults.connect",
    "taurusdb_starrocks_emulator.Faults.meet",
}


def entries(site: Path) -> set[str]:
    """The Python names that have an entry in the inventory that Sphinx writes."""
    *_, body = (site / "objects.inv").read_bytes().split(b"\n", 4)
    lines = zlib.decompress(body).decode().splitlines()
    return {line.split(" ")[0] for line in lines if " py:" in line}


def members() -> set[str]:
    """The members of public classes, such as ``taurusdb_starrocks.Client.pause``."""
    text = API.read_text(encoding="utf-8")
    return set(re.findall(r"^(\w+(?:\.[a-z]\w*)?\.[A-Z]\w+\.[A-Za-z]\w*)", text, re.MULTILINE))


def places(member: str) -> set[str]:
    """Where a reader looks for a member: its class, the public classes that this inherits from,
    and for an ``AsyncClient``, whose entry refers to it, ``Client``.
    """
    module, kind, name = member.rsplit(".", 2)
    package = importlib.import_module(module)
    names = {kind, kind.replace("AsyncClient", "Client")}
    names |= {base.__name__ for base in getattr(package, kind).__mro__}
    return {f"{module}.{one}.{name}" for one in names & set(package.__all__)}


def test_every_public_member_has_an_entry(site: Path) -> None:
    """A reader who meets a member in code finds it in the reference."""
    found, known = entries(site), members()
    assert len(known) > 300
    assert {member for member in known if not places(member) & found} == INTERNAL


def test_signatures_show_defaults(site: Path) -> None:
    """Not the names of variables in constructors that attrs has generated.

    What is used in a ``with`` statement is shown as a context manager, not as a generator.
    """
    pages = [path.read_text(encoding="utf-8") for path in (site / "reference").glob("*.html")]
    assert len(pages) >= 5
    assert not re.findall("attr_dict|NOTHING", "".join(pages))
    managers = re.findall(r">(Abstract\w*ContextManager)<", "".join(pages))
    assert set(managers) == {"AbstractAsyncContextManager", "AbstractContextManager"}
