"""The results that libcni keeps of each attachment, in a folder of the machine that all containerds share.

An entry names the container and holds the network configuration; ours holds paths of the cluster and node, and so
tells whose it is. The loopback's entry of the same container has no path in it: it is found by the container's ID.
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
    """Entries of pods whose network configuration lies with something below `top`, a cluster's or node's directory."""
    entries = list(_entries(results))
    mark = f'"{top}/'
    containers = {entry.container for entry in entries if mark in entry.config}
    return sorted(entry.path for entry in entries if entry.container in containers)


def remove(top: Path, results: Path = RESULTS) -> None:
    """Delete the entries of pods below `top`; and the folders, once they are empty."""
    for path in owned(top, results):
        path.unlink(missing_ok=True)
    for directory in (results, results.parent):
        try:
            directory.rmdir()
        except OSError:
            return


def _entries(results: Path) -> Iterator[_Entry]:
    for path in results.iterdir() if results.is_dir() else ():
        try:
            content = json.loads(path.read_bytes())
            config = base64.b64decode(content["config"]).decode()
            yield _Entry(path, content["containerId"], config)
        except (OSError, ValueError, KeyError, TypeError, binascii.Error):
            # Half written, gone meanwhile, or of another make: not ours.
            continue
