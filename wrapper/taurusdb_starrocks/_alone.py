"""Keeps httpx from loading its own command line, which nobody who imports this package asked for.

Where click and rich happen to be installed, ``import httpx`` loads them for it: about 40 ms. A
module that is None cannot be imported, and httpx then does without. One that is there stays.
"""

import sys

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None is what blocks it.
