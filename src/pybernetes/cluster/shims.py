"""Remove the sockets of containerd's shims, which all containerds of the machine keep in one fixed directory.

A shim removes its socket when it exits, but not after a kill -9, and then containerd does not remove it either. While
the container's bundle exists, its `address` file shows to which container a socket belongs.
"""

import socket
from pathlib import Path

SHIM_SOCKETS = Path("/run/containerd/s")


def remove_shim_sockets(node_run: Path, *, only_dead: bool = False, folder: Path = SHIM_SOCKETS) -> None:
    """Remove the sockets of a node's shims; with `only_dead` only those without a listening process."""
    for file in node_run.glob("containerd/io.containerd.runtime.v2.task/*/*/address"):
        path = Path(file.read_text().strip().removeprefix("unix://"))
        if path.parent == folder and not (only_dead and listens(path)):
            path.unlink(missing_ok=True)


def listens(path: Path) -> bool:
    """Whether a process listens on this socket, in any network namespace."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            # Such as a full backlog: a process is listening.
            return True
    return True
