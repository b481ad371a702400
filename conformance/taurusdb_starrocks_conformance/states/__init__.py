"""State across calls: what a pause and a resume do, and what nothing else does."""

from __future__ import annotations

from .changes import Changes
from .first_look import FirstLook
from .listing import Listing, Reader
from .overtime import Overtime
from .restoring import Restorer

__all__ = ["Changes", "FirstLook", "Listing", "Overtime", "Reader", "Restorer"]
