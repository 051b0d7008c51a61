"""Which changes in the kernel concern the pod network: those of our objects and of the interface under them."""

import asyncio
import re
from collections.abc import AsyncGenerator

from pybernetes.flannel.backends.bgp.learned import is_learned
from pybernetes.flannel.kernel.reconcile import ROUTE_PROTOCOL
from pybernetes.linux import ipmsg, netns, nftwatch
from pybernetes.linux.link import links
from pybernetes.linux.monitor import (
    AddressEvent,
    Event,
    FdbEvent,
    LinkEvent,
    Monitor,
    NeighbourEvent,
    Resync,
    RouteEvent,
)
from pybernetes.linux.route import Route
from pybernetes.linux.rtnl import Netlink

_OUR_LINK = re.compile(r"flannel(-v6)?\.\d+|flannel\.?\w*|flannel-wg(-v6)?|flannel-ipsec6?|cni0")


class KernelDrift:
    """Watches one network namespace."""

    def __init__(self, target: netns.Netns | None = None) -> None:
        self._target = target
        self._extra: set[str] = set()
        self._names: dict[int, str] = {}

    def follow(self, link: str) -> None:
        """Report changes of one more link, such as the interface under the tunnel."""
        self._extra.add(link)

    async def changes(self) -> AsyncGenerator[str, None]:
        """A few words for each change."""
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
        async with (
            Monitor(self._target) as events,
            nftwatch.watch(self._target) as rules,
            asyncio.TaskGroup() as group,
        ):
            with Netlink(self._target) as nl:
                self._names |= {li.index: li.name for li in links(nl)}
            entries = group.create_task(self._follow_links(events, queue), name="flannel: netlink events")
            tables = group.create_task(_follow_rules(rules, queue), name="flannel: nftables events")
            try:
                while True:
                    yield await queue.get()
            finally:
                entries.cancel()
                tables.cancel()

    async def _follow_links(self, events: Monitor, queue: asyncio.Queue[str]) -> None:
        async for event in events:
            text = self._describe(event)
            if text and queue.empty():
                queue.put_nowait(text)

    def _describe(self, event: Event) -> str:
        """Words for what concerns us; empty for the rest, such as pods that come and go."""
        match event:
            case Resync(reason):
                return reason
            case LinkEvent(link, gone):
                self._names[link.index] = link.name
                return f"link {link.name} {'gone' if gone else 'changed'}" if self._ours(link.index) else ""
            case RouteEvent(route, True) if route.protocol == ROUTE_PROTOCOL:
                return f"route to {route.dst} gone"
            case RouteEvent(route, gone) if is_learned(route):
                return f"route to {route.dst} {'withdrawn' if gone else 'learned'}"
            case RouteEvent(route, False) if _may_displace(route):
                return f"route to {route.dst} by {self._name(route.device) or 'another way'}"
            case AddressEvent(address, _) if self._ours(address.index):
                return f"address {address.cidr} changed"
            case NeighbourEvent(neighbour, _) if self._has_entries(neighbour.index):
                return f"neighbour {neighbour.ip} changed"
            case FdbEvent(entry, _) if self._has_entries(entry.index):
                return f"forwarding of {entry.mac} changed"
        return ""

    def _name(self, index: int) -> str:
        return self._names.get(index, "")

    def _ours(self, index: int) -> bool:
        name = self._name(index)
        # A link that has not been heard of yet may be ours: a needless pass does no harm.
        return not name or name in self._extra or _OUR_LINK.fullmatch(name) is not None

    def _has_entries(self, index: int) -> bool:
        """Whether neighbours and forwarding of the link are ours; those of the underlay and the bridge are not."""
        name = self._name(index)
        return not name or (name != "cni0" and _OUR_LINK.fullmatch(name) is not None)


def _may_displace(route: Route) -> bool:
    """Whether a new route can have taken the place of one of ours.

    `ip route replace` is told as a new route, and the one that it replaced is not mentioned. Routes to single hosts,
    which come and go with pods, are never ours.
    """
    return route.table == ipmsg.RT_TABLE_MAIN and not route.dst.endswith(("/32", "/128"))


async def _follow_rules(rules: nftwatch.NftWatch, queue: asyncio.Queue[str]) -> None:
    while True:
        tables = await rules.removed()
        if queue.empty() and any(not table or table.startswith("flannel-") for table in tables):
            queue.put_nowait("nftables objects removed")
