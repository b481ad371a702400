"""The contract itself, as it is installed."""

from __future__ import annotations


def spec() -> str:
    """The text of ``openapi.yaml``, the contract that all of this package follows.

    Feed it to any OpenAPI tool, for example to fuzz a stand-in of your own.
    """
    from importlib.resources import files  # noqa: PLC0415  # It takes longer than all the rest.

    return files("taurusdb_starrocks").joinpath("openapi.yaml").read_text(encoding="utf-8")
