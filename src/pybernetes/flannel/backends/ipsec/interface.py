"""xfrm interfaces: what is sent through one is encrypted by the IPsec policies with its id, or dropped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pybernetes.flannel.kernel.desired import Device
from pybernetes.flannel.kernel.links import LinkKind
from pybernetes.linux import link
from pybernetes.linux.link import Link
from pybernetes.linux.rtnl import Netlink

NAME = "ipsec"
"""The backend's type."""
LINKS = {4: "flannel-ipsec", 6: "flannel-ipsec6"}
#: Ids of the interfaces, by which policies and states are known as ours.
IF_IDS = {4: 0x666C04, 6: 0x666C06}


@dataclass(frozen=True, slots=True)
class XfrmLink(Device):
    """An xfrm interface."""

    name: str
    if_id: int
    mtu: int
    reason: str = field(default="", compare=False)


class XfrmDevices(LinkKind[XfrmLink]):
    """Interfaces of the ipsec backend."""

    type = XfrmLink
    link_kind = "xfrm"
    module = "xfrm_interface"
    pattern = re.compile(r"flannel-ipsec6?")

    def fits(self, want: XfrmLink, have: Link, links: Mapping[str, Link]) -> bool:
        return have.if_id == want.if_id

    def create(self, nl: Netlink, want: XfrmLink, links: Mapping[str, Link]) -> None:
        link.add_xfrm(nl, want.name, want.if_id, mtu=want.mtu, up=True)

    def describe(self, want: XfrmLink) -> str:
        return f"xfrm id {want.if_id}"
