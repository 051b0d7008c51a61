"""Which changes in the kernel concern the pod network: those of our objects and of the interface under them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from pybernetes.flannel.kernel.kind import AnyKind
from pybernetes.linux import netns, nftwatch
from pybernetes.linux.link import Link, links
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
from pybernetes.linux.rtnl import Netlink

_POD_BRIDGE = "cni0"


class KernelDrift:
    """Watches one network namespace."""

    def __init__(self, target: netns.Netns | None = None) -> None:
        self._target = target
        self._kinds: Sequence[AnyKind] = ()
        self._followed = {_POD_BRIDGE}
        self._links: dict[int, Link] = {}

    def follow(self, link: str) -> None:
        """Report changes of one more link, such as the interface under the tunnel."""
        self._followed.add(link)

    async def changes(self, kinds: Sequence[AnyKind]) -> AsyncGenerator[str, None]:
        """A few words for each change to objects of these kinds."""
        self._kinds = kinds
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
        async with (
            Monitor(self._target) as events,
            nftwatch.watch(self._target) as rules,
            asyncio.TaskGroup() as group,
        ):
            with Netlink(self._target) as nl:
                self._links |= {li.index: li for li in links(nl)}
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
            if isinstance(event, LinkEvent):
                self._links[event.link.index] = event.link
            if queue.empty() and self._concerns_us(event):
                queue.put_nowait(self._describe(event))

    def _concerns_us(self, event: Event) -> bool:
        """Leaves out pods that come and go, and neighbours and forwarding entries of the underlay and the bridge."""
        match event:
            case Resync():
                return True
            case LinkEvent(link, _) if link.name in self._followed:
                return True
            case AddressEvent(address, _) if self._name(address.index) in self._followed:
                return True
        return any(kind.concerns(event, self._ours) for kind in self._kinds)

    def _name(self, index: int) -> str:
        found = self._links.get(index)
        return found.name if found is not None else ""

    def _ours(self, index: int) -> bool:
        found = self._links.get(index)
        # A link that has not been reported yet may be ours: a needless pass does no harm.
        return found is None or any(kind.is_ours(found) for kind in self._kinds)

    def _describe(self, event: Event) -> str:
        match event:
            case Resync(reason):
                return reason
            case LinkEvent(link, gone):
                return f"link {link.name} {'gone' if gone else 'changed'}"
            case RouteEvent(route, gone):
                return f"route to {route.dst} by {self._name(route.device) or 'no link'} {'gone' if gone else 'new'}"
            case AddressEvent(address, _):
                return f"address {address.cidr} changed"
            case NeighbourEvent(neighbour, _):
                return f"neighbour {neighbour.ip} changed"
            case FdbEvent(entry, _):
                return f"forwarding of {entry.mac} changed"


async def _follow_rules(rules: nftwatch.NftWatch, queue: asyncio.Queue[str]) -> None:
    while True:
        tables = await rules.removed()
        if queue.empty() and any(not table or table.startswith("flannel-") for table in tables):
            queue.put_nowait("nftables objects removed")
