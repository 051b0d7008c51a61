"""What all clusters of a machine share in its own namespace: forwarding, and the folder of namespaces.

The first cluster sets them and writes down what was there; the last one to go puts it back. IPv6
forwarding of the host is left alone, because it makes Linux ignore router advertisements: nodes reach
each other and the host over IPv6, and the world over IPv4.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pybernetes.cluster.network_apply import NETNS_DIR, list_namespaces
from pybernetes.cluster.registry import Registry
from pybernetes.linux import mount

_WANTED = {"net.ipv4.ip_forward": "1"}


def prepare_host(registry: Registry, directories: Iterable[str] = ()) -> None:
    """Let the host forward for its nodes, and have these directories; what was there before is written down first."""
    missing = [str(path) for name in directories for path in (Path(name), *Path(name).parents) if not path.exists()]
    with registry.edit() as file:
        if not mount.is_mounted(NETNS_DIR):
            file.made_netns_dir = True
        for key in _WANTED:
            present = _sysctl(key).read_text().strip()
            if present != _WANTED[key]:
                file.host_sysctls.setdefault(key, present)
        file.made_directories += [name for name in missing if name not in file.made_directories]
    # Written after the record is on disk: a crash in between restores what is there anyway.
    for key, value in _WANTED.items():
        path = _sysctl(key)
        if path.read_text().strip() != value:
            path.write_text(value)
    for name in missing:
        Path(name).mkdir(parents=True, exist_ok=True)


def restore_host(registry: Registry) -> None:
    """Undo `prepare_host` once no cluster is left; does nothing before that."""
    file = registry.read()
    if file.clusters or not (file.host_sysctls or file.made_netns_dir or file.made_directories):
        return
    for key, value in file.host_sysctls.items():
        _sysctl(key).write_text(value)
    if file.made_netns_dir and not list_namespaces():
        mount.unmount(NETNS_DIR, lazy=False)
    for name in file.made_directories:
        with suppress(OSError):  # somebody else uses it meanwhile
            Path(name).rmdir()
    registry.forget_host()


def _sysctl(key: str) -> Path:
    return Path("/proc/sys") / key.replace(".", "/")
