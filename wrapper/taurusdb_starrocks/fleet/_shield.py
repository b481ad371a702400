"""Finish an ``await`` inside a cancelled scope of AnyIO."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any


def shielded() -> AbstractContextManager[Any]:
    """Keep a cancelled AnyIO scope from cancelling each ``await`` of the block.

    A program can be inside such a scope only if it has loaded AnyIO. Cancellations of asyncio
    itself still arrive.
    """
    if "anyio" not in sys.modules:
        return nullcontext()
    import anyio  # noqa: PLC0415  # Only if the program has loaded it.

    return anyio.CancelScope(shield=True)
