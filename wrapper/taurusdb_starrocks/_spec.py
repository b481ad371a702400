"""The installed OpenAPI contract."""

from __future__ import annotations


def spec() -> str:
    """The text of ``openapi.yaml``, the OpenAPI specification of the calls.

    Use it with any OpenAPI tool, for example to fuzz your own mock server.
    """
    from importlib.resources import files  # noqa: PLC0415  # Slow to import.

    return files("taurusdb_starrocks").joinpath("openapi.yaml").read_text(encoding="utf-8")
