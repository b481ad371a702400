"""The conformance suite: it sends nothing to a server that it may not test."""

from __future__ import annotations

from taurusdb_starrocks_conformance.__main__ import main

said: list[str] = []
status = main(["https://service.invalid"], {}, said.append)
assert status == 2, said
assert "could not run" in said[-1], said
