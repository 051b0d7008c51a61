"""The results that libcni caches for each attachment, in one directory that all containerds of the machine share.

An entry names the container and holds the network configuration. The configuration of a local node has paths below the
cluster's directory, which shows whose entry it is. The loopback's entry has no such path; its container ID links it to
the pod's other entry.

The directory itself is created before the first cluster starts and removed after the last one is gone (host.py): libcni
creates it before it writes an entry, so a cluster that removed it meanwhile would make another cluster's pod fail.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

RESULTS = Path("/var/lib/cni/results")


class _Entry(NamedTuple):
    path: Path
    container: str
    config: str


def owned(top: Path, results: Path = RESULTS) -> list[Path]:
    """Entries of pods whose network configuration names a path below `top`, a cluster's or node's directory."""
    entries = list(_entries(results))
    mark = f'"{top}/'
    containers = {entry.container for entry in entries if mark in entry.config}
    return sorted(entry.path for entry in entries if entry.container in containers)


def remove(top: Path, results: Path = RESULTS) -> None:
    """Delete the entries of pods below `top`."""
    for path in owned(top, results):
        path.unlink(missing_ok=True)


def _entries(results: Path) -> Iterator[_Entry]:
    for path in results.iterdir() if results.is_dir() else ():
        try:
            content = json.loads(path.read_bytes())
            config = base64.b64decode(content["config"]).decode()
            yield _Entry(path, content["containerId"], config)
        except (OSError, ValueError, KeyError, TypeError, binascii.Error):
            # Half written, removed meanwhile, or written by another program: not ours.
            continue
