"""Repairs the bridge of this node's pods: if another program deletes it, it comes back with its address and ports.

CNI plugins make the bridge, but they run only when a pod is added or removed. The alias of each port names its
bridge, so the daemon, which watches the kernel anyway, can repair it under running pods.
"""

from collections.abc import Sequence

from pybernetes.linux import addr, bridge, link
from pybernetes.linux.errors import NetlinkError
from pybernetes.linux.rtnl import Netlink


def repair(nl: Netlink, gateways: Sequence[str], mtu: int) -> list[str]:
    """Repair the bridges of all attached pods; returns what was done, in words. `gateways`: such as `10.244.1.1/24`."""
    links = link.links(nl)
    by_name = {li.name: li for li in links}
    done = []
    for name in sorted({note.bridge for li in links if (note := bridge.parse_alias(li.alias)) is not None}):
        present = by_name.get(name)
        if present is not None and _intact(nl, present, links, gateways):
            continue
        try:
            ports = bridge.restore(nl, name, gateways, mtu=mtu)
        except NetlinkError as error:
            done.append(f"bridge {name} could not be repaired: {error}")
            continue
        done.append(
            f"bridge {name} {'repaired' if present else 'created again'}, {len(ports)} pods attached to it again"
        )
    return done


def _intact(nl: Netlink, present: link.Link, links: Sequence[link.Link], gateways: Sequence[str]) -> bool:
    ports = [li for li in links if (note := bridge.parse_alias(li.alias)) is not None and note.bridge == present.name]
    if not present.up or any(port.master != present.index for port in ports):
        return False
    have = {address.cidr for address in addr.addresses(nl, present.index)}
    return have.issuperset(gateways)
