"""A stand-in for the service behind `openapi.yaml`, to test against.

    from taurusdb_starrocks_emulator import Emulator

    with Emulator() as emulator:
        ...  # talk to emulator.url with emulator.token
        print(emulator.journal())

It follows the contract, and where the contract is silent what is known of the real service. It
has not been checked against the real one.
"""

from __future__ import annotations

from .faults import FAULT_KINDS, Fault, Faults
from .seed import SeedError
from .server import Emulator
from .state import Call, TaskState

__all__ = ["FAULT_KINDS", "Call", "Emulator", "Fault", "Faults", "SeedError", "TaskState"]
