"""An emulator of the service described by `openapi.yaml`, for tests.

    from taurusdb_starrocks_emulator import Emulator

    with Emulator() as emulator:
        ...  # send requests to emulator.url with emulator.token
        print(emulator.journal())

It follows the contract. Where the contract says nothing, it follows what is known about the real
service. It has not been verified against the real service.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .emulator import Emulator
    from .faults import FAULT_KINDS, Fault, Faults
    from .records import Call, TaskState
    from .seed import SeedError

__all__ = ["FAULT_KINDS", "Call", "Emulator", "Fault", "Faults", "SeedError", "TaskState"]

# Imported on first use: pytest imports the plugin wherever this package is installed, even without
# the extra. This must neither fail nor take long.
_MODULES = {
    "FAULT_KINDS": "faults",
    "Call": "records",
    "Emulator": "emulator",
    "Fault": "faults",
    "Faults": "faults",
    "SeedError": "seed",
    "TaskState": "records",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith(__name__):
            raise
        raise ModuleNotFoundError(
            f"The emulator needs {error.name}, which is not installed: "
            "pip install 'taurusdb-starrocks[emulator]'",
            name=error.name,
        ) from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
