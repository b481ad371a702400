"""Log every call as a line of JSON, and pass warnings and errors to an alert function."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from taurusdb_starrocks import Client

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"


class AsJson(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "message": record.getMessage(),
        }
        return json.dumps(line)


class Alerts(logging.Handler):
    """Sends warnings and errors: failed calls, tasks that were already paused, open windows."""

    def __init__(self, send: Callable[[str], object]) -> None:
        super().__init__(logging.WARNING)
        self.send = send

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.send(f"{record.levelname}: {record.getMessage()}")
        except Exception:
            self.handleError(record)  # An exception would count as a failed request.


def set_up(send: Callable[[str], object]) -> None:
    lines = logging.StreamHandler(sys.stdout)
    lines.setFormatter(AsJson())
    logger = logging.getLogger("taurusdb_starrocks")
    logger.setLevel(logging.INFO)  # DEBUG also logs each poll.
    logger.addHandler(lines)
    logger.addHandler(Alerts(send))


def main(send: Callable[[str], object]) -> None:
    set_up(send)
    with Client() as client, client.paused(INSTANCE, ["orders_sync", "archive_sync"]):
        print("both tasks are paused")


if __name__ == "__main__":
    main(lambda text: print(f"alert: {text}", file=sys.stderr))
