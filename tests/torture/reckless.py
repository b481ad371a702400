"""A victim whose windows forget to resume: what torturing must find."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import victim
from taurusdb_starrocks import Client


class Reckless(Client):
    """A client whose windows end without a resume, and without a word."""

    @contextmanager
    def paused(self, instance_id: str, task_name: Any, **_: Any) -> Iterator[None]:
        """Pause, and leave it at that."""
        for name in task_name:
            self.pause(instance_id, name)
        yield


if __name__ == "__main__":
    victim.Client = Reckless  # What the victim then makes.
    victim.main()
