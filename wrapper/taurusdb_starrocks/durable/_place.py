"""Where a journal may be stored: on a local disk, in a folder that nobody else can write."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from taurusdb_starrocks import ConfigurationError
from taurusdb_starrocks.durable._errors import JournalError

# On these, locks work on one machine at most, or not at all.
NETWORK = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "gfs", "gfs2", "glusterfs", "gpfs", "lustre"),
        *("ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb3", "smbfs", "vboxsf"),
        "virtiofs",
    }
)
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def prepared(
    path: str | os.PathLike[str], *, make: bool = True, mountinfo: str = "/proc/self/mountinfo"
) -> Path:
    """The file of a journal, without symbolic links.

    Args:
        path: The file.
        make: Whether to create it if it does not exist, readable and writable by its owner only.
        mountinfo: Where the system lists what is mounted.

    Raises:
        ConfigurationError: A journal must not be stored there, or it does not exist.
        JournalError: It cannot be created.
    """
    if os.name != "posix":
        raise ConfigurationError("A journal needs POSIX locks, which this system does not have.")
    try:
        file = Path(os.path.realpath(path))
        if make:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif not file.exists():
            start = f" A relative path starts at the current folder, {Path.cwd()}."
            raise ConfigurationError(
                f"There is no journal at {file}. Nothing was sent or created. Either no task was "
                "ever paused with this journal, or the path is wrong: give the absolute path that "
                f"your windows use.{'' if Path(path).is_absolute() else start}"
            )
        _check_folder(file.parent)
        check_system(file.parent, mountinfo)
        # An existing file is not opened here: closing it would release the locks that SQLite holds
        # on it for another journal of this process.
        if not file.exists():
            create(file)
        _check_file(file)
    except OSError as error:
        raise JournalError(
            f"The journal {path} cannot be opened: {error.strerror}. Nothing was sent."
        ) from error
    return file


def create(file: Path) -> None:
    """Create a file that only its owner can read and write, whatever the umask is."""
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:  # Another process created it just now.
        return
    try:
        os.fchmod(handle, 0o600)
    finally:
        os.close(handle)


def _check_folder(folder: Path) -> None:
    found = folder.stat()
    if found.st_mode & OTHERS_WRITE:
        raise ConfigurationError(
            f"Others can write to the folder {folder}, and so replace the journal. Run chmod go-w "
            "on it, or choose another folder. Nothing was sent."
        )
    _check_owner(folder, found)


def _check_file(file: Path) -> None:
    found = file.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(f"The journal {file} is not a file. Nothing was sent.")
    if found.st_mode & OTHERS_WRITE:
        raise ConfigurationError(
            f"Others can write to the journal {file}. Run chmod 600 on it. Nothing was sent."
        )
    _check_owner(file, found)


def _check_owner(path: Path, found: os.stat_result) -> None:
    if found.st_uid not in {os.geteuid(), 0}:
        raise ConfigurationError(
            f"{path} belongs to user {found.st_uid}, but this process runs as user {os.geteuid()}. "
            "Nothing was sent."
        )


def check_system(folder: Path, mountinfo: str) -> None:
    """Raise ``ConfigurationError`` on a file system whose locks other machines do not see."""
    kind = _kind(folder, mountinfo)
    if kind in NETWORK or kind.partition(".")[0] == "fuse":
        raise ConfigurationError(
            f"The folder of the journal, {folder}, is on a {kind} file system, where file locks do "
            "not work reliably. Choose a local disk. Nothing was sent."
        )


def _kind(folder: Path, mountinfo: str) -> str:
    """The type of the file system of a folder; empty if the system does not tell."""
    try:
        lines = Path(mountinfo).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    found = (-1, "")
    for line in lines:
        own, _, rest = line.partition(" - ")
        fields = own.split()
        if len(fields) < 5 or not rest:
            continue
        place = Path(_plain(fields[4]))
        if folder.is_relative_to(place) and len(place.parts) >= found[0]:
            found = (len(place.parts), rest.split()[0])  # A later mount hides an earlier one.
    return found[1]


def _plain(escaped: str) -> str:
    """A path of mountinfo with its octal escapes, as for spaces, replaced."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), escaped)
