"""Writes the files of a volume atomically: a reader sees either all old or all new files.

The files are in a directory named after the time; `..data` is a symbolic link to it, and the visible names are links
through `..data`. An update creates a new directory and then renames one link. The layout is kubelet's.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_DATA = "..data"
_DATA_NEW = "..data_tmp"


@dataclass(frozen=True, slots=True)
class File:
    """Content and permissions."""

    content: bytes
    mode: int


Payload = Mapping[str, File]
"""Relative path -> file."""


def write(directory: Path, payload: Payload, clock: Callable[[], float], group: int | None = None) -> bool:
    """Write the payload to `directory`; returns whether anything has changed. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    present = _present(directory)
    if present is not None and _same(directory / present, payload):
        return False
    stamp = datetime.fromtimestamp(clock(), UTC).strftime("..%Y_%m_%d_%H_%M_%S.")
    new_directory = directory / (stamp + str(int.from_bytes(os.urandom(4), "big")))
    try:
        _fill(new_directory, payload, group)
    except OSError:
        shutil.rmtree(new_directory, ignore_errors=True)
        raise
    link = directory / _DATA_NEW
    link.unlink(missing_ok=True)
    link.symlink_to(new_directory.name)
    link.rename(directory / _DATA)
    _link_names(directory, payload)
    _remove_stale(directory, new_directory.name)
    return True


def _present(directory: Path) -> str | None:
    try:
        return os.readlink(directory / _DATA)
    except OSError:
        return None


def _same(directory: Path, payload: Payload) -> bool:
    found: dict[str, File] = {}
    for base, _, names in os.walk(directory):
        for name in names:
            path = Path(base) / name
            try:
                found[str(path.relative_to(directory))] = File(path.read_bytes(), path.stat().st_mode & 0o7777)
            except OSError:
                return False
    wanted = set(payload)
    return set(found) == wanted and all(
        found[name].content == file.content and found[name].mode & 0o700 == file.mode & 0o700
        for name, file in payload.items()
    )


def _fill(directory: Path, payload: Payload, group: int | None) -> None:
    directory.mkdir(mode=0o755)
    for name, file in payload.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(handle, "wb") as out:
            out.write(file.content)
        mode = file.mode
        if group is not None:
            os.chown(path, -1, group)
            # The fsGroup may read what the owner may read.
            mode |= (file.mode & 0o400) >> 3
        path.chmod(mode)


def _link_names(directory: Path, payload: Payload) -> None:
    """Create links for new names and remove those of names that no longer exist."""
    tops = {name.split("/", 1)[0] for name in payload}
    for entry in directory.iterdir():
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in tops:
            entry.unlink()
    for name in tops:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(f"{_DATA}/{name}")


def _remove_stale(directory: Path, keep: str) -> None:
    for entry in directory.iterdir():
        if entry.name.startswith("..2") and entry.name != keep and entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
