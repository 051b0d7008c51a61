"""The sockets of containerd's shims: in one folder of the machine, which no containerd can be told to leave.

A shim removes its own at its end, but not after a kill -9, and containerd forgets where it was. While the bundle of
the container is still there, its `address` file tells whose a socket is.
"""

import socket
from pathlib import Path

SHIM_SOCKETS = Path("/run/containerd/s")


def remove_shim_sockets(node_run: Path, *, only_dead: bool = False, folder: Path = SHIM_SOCKETS) -> None:
    """Remove the sockets of a node's shims; with `only_dead` those to which nobody listens any more."""
    for file in node_run.glob("containerd/io.containerd.runtime.v2.task/*/*/address"):
        path = Path(file.read_text().strip().removeprefix("unix://"))
        if path.parent == folder and not (only_dead and listens(path)):
            path.unlink(missing_ok=True)


def listens(path: Path) -> bool:
    """Whether a process has this socket open for connections, in whatever network namespace."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            # Such as a full backlog: somebody is there.
            return True
    return True
