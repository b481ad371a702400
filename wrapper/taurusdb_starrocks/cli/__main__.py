"""The command, as ``python -m taurusdb_starrocks.cli``."""

import sys

from taurusdb_starrocks.cli import main

sys.exit(main())
