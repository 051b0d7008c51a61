"""subnet.env: what CNI plugins on this node need to know about the network, in the format of Go flannel."""

import ipaddress
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pybernetes.flannel.config import IPNetwork

DEFAULT_PATH = Path("/run/flannel/subnet.env")
#: (name of the network's line, name of the subnet's line) per family.
_NAMES = {4: ("FLANNEL_NETWORK", "FLANNEL_SUBNET"), 6: ("FLANNEL_IPV6_NETWORK", "FLANNEL_IPV6_SUBNET")}


@dataclass(frozen=True, slots=True)
class SubnetFile:
    """The file's content. `families` maps 4 and 6 to (network, gateway with the subnet's prefix length)."""

    families: dict[int, tuple[str, str]]
    mtu: int
    ip_masq: bool

    def render(self) -> str:
        """The file's text."""
        lines = []
        for version, (network, subnet) in sorted(self.families.items()):
            lines += [f"{_NAMES[version][0]}={network}", f"{_NAMES[version][1]}={subnet}"]
        lines += [f"FLANNEL_MTU={self.mtu}", f"FLANNEL_IPMASQ={'true' if self.ip_masq else 'false'}"]
        return "\n".join(lines) + "\n"


def previous_subnets(path: Path) -> dict[int, IPNetwork]:
    """This node's subnets by family, as the previous run wrote them; unreadable ones are left out."""
    return _read(path, {version: subnet for version, (_, subnet) in _NAMES.items()})


def previous_networks(path: Path) -> dict[int, IPNetwork]:
    """The pod networks by family, in the same way: pods on this node may have addresses of these."""
    return _read(path, {version: network for version, (network, _) in _NAMES.items()})


def _read(path: Path, names: Mapping[int, str]) -> dict[int, IPNetwork]:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        return {}
    lines = dict(line.strip().split("=", 1) for line in text.splitlines() if "=" in line)
    found: dict[int, IPNetwork] = {}
    for version, name in names.items():
        try:
            network = ipaddress.ip_network(lines.get(name, ""), strict=False)
        except ValueError:
            continue
        if network.version == version:
            found[version] = network
    return found


def write(path: Path, content: SubnetFile) -> bool:
    """Replace the file in one step, if it differs; whether it did. Raises OSError, which names this file.

    When the disk is full, what stood there stays.
    """
    text = content.render()
    try:
        if path.read_text() == text:
            return False
    except (FileNotFoundError, UnicodeDecodeError):
        pass
    try:
        _replace(path, text)
    except OSError as error:
        # The temporary file has another name each time: one fault would be reported as ever new ones.
        raise OSError(error.errno, error.strerror, str(path)) from error
    return True


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
