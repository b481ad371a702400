"""Faults that the emulator can inject.

Each kind is declared once, with its behavior, in the module for the stage at which it happens.
"""

from . import on_connection, on_list, on_response, on_task  # noqa: F401 - declares the kinds
from .active import Faults, Met
from .fault import Fault, read_faults
from .kinds import KINDS, OnConnection, OnList, OnResponse, OnTask

__all__ = [
    "FAULT_KINDS",
    "Fault",
    "Faults",
    "Met",
    "OnConnection",
    "OnList",
    "OnResponse",
    "OnTask",
    "read_faults",
]

FAULT_KINDS: tuple[str, ...] = tuple(KINDS)
