"""A node's own view of the files by which a pod network is installed, for clusters that leave it to others.

Whoever installs a pod network writes to the machine: plugins to /opt/cni/bin, a configuration to /etc/cni/net.d. Local
nodes share one machine; so each gets a mount namespace in which these paths are directories of its own. Container
runtime and agent run in it; it is pinned by a file, like a network namespace, and goes when nothing holds it.
"""

from pathlib import Path

from pybernetes.cluster.commands import run
from pybernetes.cluster.layout import NodePaths
from pybernetes.linux import mount

#: In the order in which they are mounted. All are made on the machine if they are not there.
PLACES = ("/etc/cni/net.d", "/opt/cni/bin", "/run/flannel", "/var/lib/cni")

_BIND_ALL = 'while [ $# -gt 0 ]; do mount --bind "$1" "$2"; shift 2; done'


def directories(paths: NodePaths) -> dict[str, Path]:
    """What the node sees at each of the places."""
    own = (paths.cni_conf_dir, paths.cni_bin_dir, paths.subnet_env.parent, paths.cni_data_dir.parent)
    return dict(zip(PLACES, own, strict=True))


def pin(paths: NodePaths) -> Path:
    """The file that holds the namespace."""
    return paths.run / "view" / "mnt"


def prepare(paths: NodePaths) -> None:
    """Make the namespace, unless it is there."""
    file = pin(paths)
    if mount.is_mounted(file):
        return
    for own in directories(paths).values():
        own.mkdir(parents=True, exist_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    if not mount.is_mounted(file.parent):
        # The kernel pins a mount namespace only where the pin cannot spread into that very namespace.
        mount.bind(file.parent, file.parent)
        run(["mount", "--make-private", file.parent])
    pairs = [str(word) for place, own in directories(paths).items() for word in (own, place)]
    run(["unshare", f"--mount={file}", "--propagation", "slave", "sh", "-ec", _BIND_ALL, "sh", *pairs])


def inside(paths: NodePaths, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command that runs `argv` with this view; nsenter replaces itself, so the pid stays."""
    return ("nsenter", f"--mount={pin(paths)}", "--", *argv)
