"""A node's own view of the directories in which a pod network is installed, for clusters created without one.

The installer of a pod network writes to the machine: plugins to /opt/cni/bin, a configuration to /etc/cni/net.d. Local
nodes share one machine, so each gets a mount namespace in which these paths are its own directories. containerd and
the agent run in it. A file pins it, like a network namespace; it ends when nothing uses it.
"""

from pathlib import Path

from pybernetes.cluster.commands import run
from pybernetes.cluster.layout import NodePaths
from pybernetes.linux import mount

#: In the order in which they are mounted. Missing ones are created on the machine.
PLACES = ("/etc/cni/net.d", "/opt/cni/bin", "/run/flannel", "/var/lib/cni")

_BIND_ALL = 'while [ $# -gt 0 ]; do mount --bind "$1" "$2"; shift 2; done'


def directories(paths: NodePaths) -> dict[str, Path]:
    """The node's own directory for each of the places."""
    own = (paths.cni_conf_dir, paths.cni_bin_dir, paths.subnet_env.parent, paths.cni_data_dir.parent)
    return dict(zip(PLACES, own, strict=True))


def pin(paths: NodePaths) -> Path:
    """The file that pins the namespace."""
    return paths.run / "view" / "mnt"


def prepare(paths: NodePaths) -> None:
    """Create the namespace unless it exists."""
    file = pin(paths)
    if mount.is_mounted(file):
        return
    for own in directories(paths).values():
        own.mkdir(parents=True, exist_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    if not mount.is_mounted(file.parent):
        # The kernel refuses to pin a mount namespace where the pin could propagate into that namespace.
        mount.bind(file.parent, file.parent)
        run(["mount", "--make-private", file.parent])
    pairs = [str(word) for place, own in directories(paths).items() for word in (own, place)]
    run(["unshare", f"--mount={file}", "--propagation", "slave", "sh", "-ec", _BIND_ALL, "sh", *pairs])


def inside(paths: NodePaths, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command that runs `argv` with this view. nsenter execs it, so the pid stays the same."""
    return ("nsenter", f"--mount={pin(paths)}", "--", *argv)
