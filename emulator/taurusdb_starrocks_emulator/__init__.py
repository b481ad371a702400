"""An emulator of the service behind `openapi.yaml`, to test against.

    from taurusdb_starrocks_emulator import Emulator

    with Emulator() as emulator:
        ...  # talk to emulator.url with emulator.token
        print(emulator.journal())

It follows the contract and, where the contract is silent, what is known of the real service. It
has not been verified against the real one.
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

# Imported on first use: pytest imports the plugin in this package wherever it is installed, also
# where the extra is not, and there must be neither a failure nor a delay.
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
