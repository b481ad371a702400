"""`make breaking`: whether `openapi.yaml` breaks those who use the contract of the last release.

It may, if the major number of its version says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LAST_RELEASE = Path(__file__).with_name("last-release.yaml")
REDOCLY = ROOT / "node_modules" / ".bin" / "redocly"


def compared(base: Path, revision: Path) -> Any:
    """What `redocly diff` says of two contracts.

    Raises:
        RuntimeError: It could not compare them.
    """
    environment = {
        **os.environ,
        "REDOCLY_TELEMETRY": "off",
        "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    }
    done = subprocess.run(
        [REDOCLY, "diff", base, revision, "--format", "json", "--fail-on", "none"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"redocly diff failed: {done.stderr or done.stdout}")
    return json.loads(done.stdout)


def breaking_changes(comparison: Any) -> list[str]:
    """The changes that break somebody, each on a line."""
    return [
        f"{change['path']}: {verdict['message']}"
        for change in comparison["changes"]
        for verdict in change["verdicts"]
        if verdict["impact"] == "major"
    ]


def is_allowed(comparison: Any) -> bool:
    """Whether nothing breaks, or the major number moved."""
    versions = comparison["infoVersions"]
    old, new = (int(versions[side].split(".")[0]) for side in ("base", "revision"))
    return comparison["summary"]["major"] == 0 or new > old


def main() -> int:
    """Compare; the exit status: 0, or 1 if somebody is broken without notice."""
    comparison = compared(LAST_RELEASE, ROOT / "openapi.yaml")
    versions = comparison["infoVersions"]
    sys.stdout.writelines(f"{line}\n" for line in breaking_changes(comparison))
    told = f"{versions['base']} -> {versions['revision']}"
    if not is_allowed(comparison):
        sys.stdout.write(f"breaking: {told} breaks, and the major number is the same\n")
        return 1
    sys.stdout.write(f"breaking: nothing that {told} does not allow\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
