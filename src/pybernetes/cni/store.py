"""host-local's reservations on disk, in the layout of the stock host-local, so that both can share them.

    <dataDir>/<network>/<ip>                 "<container id>\\r\\n<interface>"
    <dataDir>/<network>/last_reserved_ip.<n> the last address allocated from range set n
    <dataDir>/<network>/lock                 held with flock(2) during every change

Invariant: a reservation is complete when it appears under its final name. It is written to a temporary file and
renamed, so a crash leaves at most that file. Other contents (empty or damaged files, directories) are no reservations:
GC removes what it can, and attachments ignore them.

Nothing is synced to disk, as in the stock plugin: after a machine crash the pods are gone too.
"""

from __future__ import annotations

import fcntl
import posix

from pybernetes.cni import files
from pybernetes.linux.ipmsg import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_DIR = "/var/lib/cni/networks"
_STAGING = ".reserving"


class Store:
    """The reservations of one network; holds the lock while used as a context manager."""

    def __init__(self, network: str, data_dir: str = "") -> None:
        self.directory = f"{data_dir or DEFAULT_DIR}/{network}"
        self._lock = -1

    def __enter__(self) -> Store:
        files.make_directories(self.directory)
        self._lock = posix.open(f"{self.directory}/lock", posix.O_RDONLY | posix.O_CREAT | posix.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        posix.close(self._lock)
        self._lock = -1

    def reserve(self, ip: str, container_id: str, ifname: str, range_set: int) -> bool:
        """Reserve `ip`; False if it is reserved already. An empty file, left by a crash, is no reservation."""
        path = f"{self.directory}/{ip}"
        try:
            if posix.stat(path).st_size:
                return False
        except FileNotFoundError:
            pass
        staging = f"{self.directory}/{_STAGING}"
        files.write_whole(path, f"{container_id}\r\n{ifname}", staging)
        try:
            files.write_whole(f"{self.directory}/last_reserved_ip.{range_set}", ip, staging)
        except OSError:
            files.remove(path)
            raise
        return True

    def last_reserved(self, range_set: int) -> str:
        """The last address allocated from a range set; empty if there is none."""
        return files.read(f"{self.directory}/last_reserved_ip.{range_set}")

    def owned(self, container_id: str, ifname: str) -> list[str]:
        """The addresses of one attachment. Files of old versions name only the container, and count as well."""
        exact, loose = [], []
        for ip, owner, interface in self.reservations():
            if owner == container_id:
                if interface == ifname:
                    exact.append(ip)
                elif not interface:
                    loose.append(ip)
        return exact or loose

    def release(self, ips: list[str]) -> None:
        for ip in ips:
            try:
                files.remove(f"{self.directory}/{ip}")
            except IsADirectoryError:
                pass  # not a reservation

    def reservations(self) -> Iterator[tuple[str, str, str]]:
        """(address, container, interface) of every reservation."""
        for name in posix.listdir(self.directory):
            if name == "lock" or name.startswith((".", "last_reserved_ip")):
                continue
            try:
                pack(name)
            except ValueError:
                continue
            owner, _, interface = files.read(f"{self.directory}/{name}", 4096).partition("\n")
            yield name, owner.strip(), interface.strip()
