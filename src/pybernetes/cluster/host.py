"""What all clusters of a machine share on the host: IPv4 forwarding, the mount of /run/netns, directories.

The first cluster records the previous state and sets them up; the last cluster to go restores it. IPv6 forwarding of
the host stays as it is, because it makes Linux ignore router advertisements: nodes reach each other and the host over
IPv6, and other networks over IPv4.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pybernetes.cluster.network_apply import NETNS_DIR, list_namespaces
from pybernetes.cluster.registry import Registry
from pybernetes.linux import mount

_WANTED = {"net.ipv4.ip_forward": "1"}


def prepare_host(registry: Registry, directories: Iterable[str | Path] = ()) -> None:
    """Enable forwarding for the nodes and create these directories. The previous state is recorded first."""
    missing = [str(path) for name in directories for path in (Path(name), *Path(name).parents) if not path.exists()]
    with registry.edit() as file:
        if not mount.is_mounted(NETNS_DIR):
            file.made_netns_dir = True
        for key in _WANTED:
            present = _sysctl(key).read_text().strip()
            if present != _WANTED[key]:
                file.host_sysctls.setdefault(key, present)
        file.made_directories += [name for name in missing if name not in file.made_directories]
    # Change the host only after the record is on disk: after a crash in between, restoring changes nothing.
    for key, value in _WANTED.items():
        path = _sysctl(key)
        if path.read_text().strip() != value:
            path.write_text(value)
    for name in missing:
        Path(name).mkdir(parents=True, exist_ok=True)


def restore_host(registry: Registry) -> None:
    """Undo `prepare_host` if no cluster is left."""
    file = registry.read()
    if file.clusters or not (file.host_sysctls or file.made_netns_dir or file.made_directories):
        return
    for key, value in file.host_sysctls.items():
        _sysctl(key).write_text(value)
    if file.made_netns_dir and not list_namespaces():
        mount.unmount(NETNS_DIR, lazy=False)
    for name in sorted(file.made_directories, key=lambda name: name.count("/"), reverse=True):
        with suppress(OSError):  # another program uses it
            Path(name).rmdir()
    registry.forget_host()


def _sysctl(key: str) -> Path:
    return Path("/proc/sys") / key.replace(".", "/")
