"""Create the virtual environment FOLDER with exactly the packages in LOCK, or print why not.

    python requirements/environment.py [--editable] [--without-pip] FOLDER LOCK

FOLDER/bin/.ready is written last. Without it, the folder counts as incomplete, and the next run
starts over.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import subprocess
import sys
import time
from pathlib import Path

# Common problems on other machines, by the output of Python or pip.
CAUSES = {
    r"No module named '?(venv|ensurepip)|ensurepip is not available": (
        "{python} cannot make virtual environments: install its venv module "
        "(on Debian and Ubuntu: apt install {name}-venv), or name another Python: "
        "make PYTHON=/path/to/python3"
    ),
    r"No space left on device|Disk quota exceeded|File too large": (
        "no space is left for {folder}, or for temporary files in {temporary}: free 500 MB, "
        "or set TMPDIR, and run make again"
    ),
    r"Retrying \(|Max retries exceeded|[Tt]imed out|Connection|is not a trusted or secure host": (
        "the package index cannot be reached: check the network and the proxy settings "
        "(HTTPS_PROXY), or name a mirror (PIP_INDEX_URL), and run make again"
    ),
    # After the network: without one, pip says this too.
    r"No matching distribution found": (
        "a locked package has no release for {name}, or the package index does not offer it. The "
        "locks are for Python 3.11 to 3.14: name one of them, as in make PYTHON=python3.14"
    ),
}


class BuildError(Exception):
    """The environment could not be created. The message says what to do."""


def explain(output: str, folder: Path) -> str:
    """What to do about a failed command, from its output; the output itself if unknown."""
    for pattern, advice in CAUSES.items():
        if re.search(pattern, output):
            return advice.format(
                python=sys.executable,
                name=f"python3.{sys.version_info.minor}",
                folder=folder,
                temporary=os.environ.get("TMPDIR", "/tmp"),  # noqa: S108 - said, not written to
            )
    return output.strip() or "a command failed and wrote nothing"


def build(folder: Path, lock: Path, held: int, *, editable: bool, pip: bool) -> None:
    """Start over, and install the locked packages.

    Each command inherits the file `held`: if this process is killed, the next one waits until the
    command has ended too.
    """

    def run(*command: str | Path) -> None:
        ran = subprocess.run(
            command,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=[held],
        )
        if ran.returncode != 0:
            raise BuildError(explain(ran.stdout, folder))

    inside = folder / "bin" / "python"
    run(sys.executable, "-m", "venv", "--clear", "--without-pip", folder)
    if pip:
        run(inside, "-m", "ensurepip", "--default-pip")
        command: list[str | Path] = [inside, "-m", "pip"]
    else:
        command = [sys.executable, "-m", "pip", "--python", inside]
    # A lock is complete, as "check" proves. With resolution, pip would take newer releases than
    # the locked ones for a requirement with an extra.
    install = [*command, "install", "--quiet", "--no-deps"]
    run(*install, "--require-hashes", "--only-binary", ":all:", "-r", lock)
    if editable:
        run(*install, "--no-build-isolation", "--editable", ".")
    run(*command, "check")


def main() -> None:
    """Create the environment, unless another process is doing so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("lock", type=Path)
    parser.add_argument("--editable", action="store_true", help="install the project too")
    parser.add_argument("--without-pip", action="store_true", help="use the pip of this Python")
    options = parser.parse_args()
    ready = options.folder / "bin" / ".ready"
    began = time.time()
    try:
        with options.lock.open("r+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                sys.stderr.write(f"Waiting for another process that installs {options.lock}\n")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if ready.exists() and ready.stat().st_mtime > began:
                return  # Another process has created it.
            sys.stderr.write(f"Installing {options.lock} into {options.folder}\n")
            build(
                options.folder,
                options.lock,
                lock.fileno(),
                editable=options.editable,
                pip=not options.without_pip,
            )
            ready.touch()
    except KeyboardInterrupt:
        sys.exit(f"{options.folder}: interrupted; the next make starts over")
    except (OSError, BuildError) as error:
        sys.exit(f"{options.folder}: {explain(str(error), options.folder)}")


if __name__ == "__main__":
    main()
