"""Restores a deleted bridge with its addresses and all of its ports.

When a bridge is deleted, its ports stay without a master, and nothing in the kernel records where they belonged.
Therefore the bridge plugin writes it into the alias of each host veth:

    cni:bridge=cni0 mac=7a:63:93:25:f1:07 hairpin=1 network=cbr0 container=6233db63... ifname=eth0

`restore` needs the aliases only. For pods that a stock plugin attached, `ports_of_results` finds the same facts in
the results that the runtime keeps under /var/lib/cni/results.
"""

from __future__ import annotations

from pybernetes.linux import ipmsg, linkmsg
from pybernetes.linux.errors import Exists
from pybernetes.linux.rtnl import Netlink, Request, read_text, read_u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

ALIAS_PREFIX = "cni:"
ALIAS_LIMIT = 255


class PortNote:
    """The contents of a host veth's alias: its bridge, and the attachment behind it."""

    __slots__ = ("bridge", "container_id", "hairpin", "ifname", "mac", "network")

    def __init__(
        self, bridge: str, mac: str, hairpin: bool = False, network: str = "", container_id: str = "", ifname: str = ""
    ) -> None:
        self.bridge = bridge
        self.mac = mac
        """The bridge's own MAC. If it changed, pods would send to the old one for up to half a minute."""
        self.hairpin = hairpin
        self.network = network
        self.container_id = container_id
        self.ifname = ifname

    def __str__(self) -> str:
        text = (
            f"{ALIAS_PREFIX}bridge={self.bridge} mac={self.mac} hairpin={int(self.hairpin)} "
            f"network={self.network} container={self.container_id} ifname={self.ifname}"
        )
        return text[:ALIAS_LIMIT]


def parse_alias(alias: str) -> PortNote | None:
    """Parse an alias; None if it was not written by the bridge plugin."""
    if not alias.startswith(ALIAS_PREFIX):
        return None
    fields = dict(field.split("=", 1) for field in alias[len(ALIAS_PREFIX) :].split(" ") if "=" in field)
    if not fields.get("bridge"):
        return None
    return PortNote(
        fields["bridge"],
        fields.get("mac", ""),
        fields.get("hairpin") == "1",
        fields.get("network", ""),
        fields.get("container", ""),
        fields.get("ifname", ""),
    )


def _survey(nl: Netlink) -> tuple[dict[str, PortNote], dict[str, int]]:
    """(name -> note, name -> index of its master) of all links."""
    notes, masters = {}, {}
    for payload in nl.dump(linkmsg.dump()):
        _, _, attrs = linkmsg.decode(payload)
        name = read_text(attrs.get(linkmsg.IFLA_IFNAME))
        masters[name] = read_u32(attrs.get(linkmsg.IFLA_MASTER))
        note = parse_alias(read_text(attrs.get(linkmsg.IFLA_IFALIAS)))
        if note is not None:
            notes[name] = note
    return notes, masters


def ports_of_results(results: Iterable[Mapping[str, Any]], bridge: str) -> dict[str, str]:
    """Host veths that belong to `bridge` according to CNI results: name -> the bridge's MAC at that time.

    A result lists the bridge, the host veth and the pod's interface; only the last has a `sandbox`. The files that a
    runtime keeps wrap it in an object with the key `result`.
    """
    found: dict[str, str] = {}
    for entry in results:
        inner = entry.get("result", entry)
        host = [i for i in inner.get("interfaces") or [] if not i.get("sandbox")]
        mac = next((str(i.get("mac", "")) for i in host if i.get("name") == bridge), None)
        if mac is not None:
            found.update({str(i["name"]): mac for i in host if i.get("name") not in (None, bridge)})
    return found


def restore(
    nl: Netlink,
    name: str,
    addresses: Iterable[str],
    *,
    mtu: int = 0,
    mac: str = "",
    others: Mapping[str, bool] | None = None,
) -> list[str]:
    """Ensure that the bridge exists, is up, and has its addresses (`10.244.1.1/24`) and all its ports.

    Returns the names of reattached ports; changes nothing on an intact bridge. `others` are ports without an alias,
    each with its hairpin mode. A new bridge gets `mac`, else the MAC in its ports' aliases, else the kernel's choice.
    """
    notes, masters = _survey(nl)
    ports = {port: note for port, note in notes.items() if note.bridge == name}
    mac = mac or next((note.mac for note in ports.values() if note.mac), "")
    try:
        nl.request(linkmsg.bridge(name, mtu=mtu, mac=mac))
    except Exists:
        pass
    index, flags, _ = linkmsg.decode(nl.request(linkmsg.get(name))[0])
    requests: list[Request] = []
    wanted = {port: note.hairpin for port, note in ports.items()} | dict(others or {})
    lost = [port for port in wanted if masters.get(port, index) != index]  # some of `others` may no longer exist
    requests += [linkmsg.change(port, up=True, master=index) for port in lost]
    if not flags & linkmsg.IFF_UP:
        # After its ports: without them it would have no carrier, and the kernel rechecks only a second later.
        requests.append(linkmsg.change(index, up=True))
    for cidr in addresses:
        requests.append(ipmsg.addr_add(index, cidr, flags=ipmsg.IFA_F_NODAD if ":" in cidr else 0))
    for error in nl.batch(requests):
        if error is not None and not isinstance(error, Exists):
            raise error
    _set_hairpin(nl, [port for port in lost if wanted[port]])
    return lost


def _set_hairpin(nl: Netlink, ports: list[str]) -> None:
    for port in ports:
        index, _, _ = linkmsg.decode(nl.request(linkmsg.get(port))[0])
        nl.request(linkmsg.bridge_port(index, hairpin=True))
