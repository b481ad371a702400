"""State across calls: the effects of pause and resume, and that nothing else has effects."""

from __future__ import annotations

from .changes import Changes
from .first_look import FirstLook
from .listing import Listing, Reader
from .overtime import Overtime
from .restoring import Restorer

__all__ = ["Changes", "FirstLook", "Listing", "Overtime", "Reader", "Restorer"]
