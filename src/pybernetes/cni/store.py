"""host-local's reservations on disk, in the original's layout, so that a stock host-local agrees.

    <dataDir>/<network>/<ip>                 "<container id>\\r\\n<interface>"
    <dataDir>/<network>/last_reserved_ip.<n> the address handed out last from range set n
    <dataDir>/<network>/lock                 flock(2) of whoever changes something

Invariant: a reservation appears under its final name complete. It is written aside and linked into place, so
a crash leaves nothing but a file that no address is named by.
"""

from __future__ import annotations

import fcntl
import os

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
        os.makedirs(self.directory, mode=0o755, exist_ok=True)
        self._lock = os.open(f"{self.directory}/lock", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)
        self._lock = -1

    def reserve(self, ip: str, container_id: str, ifname: str, range_set: int) -> bool:
        """Take `ip`; False when somebody has it. An empty file is what a crash of a stock plugin leaves."""
        path = f"{self.directory}/{ip}"
        try:
            if os.stat(path).st_size:
                return False
            os.unlink(path)
        except FileNotFoundError:
            pass
        staging = f"{self.directory}/{_STAGING}"
        _write(staging, f"{container_id}\r\n{ifname}")
        os.rename(staging, path)
        _write(f"{self.directory}/last_reserved_ip.{range_set}", ip)
        return True

    def last_reserved(self, range_set: int) -> str:
        """The address handed out last from a range set; empty when there is none."""
        return _read(f"{self.directory}/last_reserved_ip.{range_set}")

    def owned(self, container_id: str, ifname: str) -> list[str]:
        """The addresses of one attachment. Old files name the container only, and count as well."""
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
                os.unlink(f"{self.directory}/{ip}")
            except FileNotFoundError:
                pass

    def reservations(self) -> Iterator[tuple[str, str, str]]:
        """(address, container, interface) of every reservation."""
        for name in os.listdir(self.directory):
            if name == "lock" or name.startswith((".", "last_reserved_ip")):
                continue
            try:
                pack(name)
            except ValueError:
                continue
            owner, _, interface = _read(f"{self.directory}/{name}").partition("\n")
            yield name, owner.strip(), interface.strip()


def _read(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        return os.read(fd, 4096).decode("utf-8", "replace").strip()
    finally:
        os.close(fd)


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
