"""Runs the udp backend's proxy if the desired state requires it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.backends.udp.ends import UdpEnd, UdpPeer
from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import Node
from pybernetes.linux.errors import LinuxError

if TYPE_CHECKING:
    from pybernetes.flannel.backends.udp.proxy import UdpProxy

log = logging.getLogger(__name__)


class UdpActor(Actor):
    """Starts the proxy, gives it its routes, and restarts it if it fails."""

    def __init__(self, netns: str | None) -> None:
        self._netns = netns
        self._proxy: UdpProxy | None = None
        self._peers: dict[str, tuple[str, int]] = {}
        self._changed: Callable[[], None] = lambda: None

    def start(self, changed: Callable[[], None]) -> None:
        """A proxy that fails asks for a pass, which restarts it."""
        loop = asyncio.get_running_loop()
        self._changed = lambda: None if loop.is_closed() else _ignore(loop.call_soon_threadsafe(changed))

    async def apply(self, config: NetworkConfig, me: Node, want: Desired) -> Sequence[str]:
        """Start or stop the proxy, or give it other routes."""
        if not want.of(UdpEnd):
            await self._stop()
            return []
        # Imported when needed: NumPy, which the proxy uses, would cost every node agent 20 MB.
        from pybernetes.flannel.backends.udp.proxy import ProxyConfig, UdpProxy

        (end, *_) = want.of(UdpEnd)
        config_now = ProxyConfig(end.tun, end.local, end.port, end.mtu, end.network, self._netns)
        if self._proxy is not None and (self._proxy.failed or self._proxy.config != config_now):
            if self._proxy.failed:
                log.warning("udp proxy ended: %s; restarting it", self._proxy.failed)
            await self._stop()
        if self._proxy is None:
            proxy = UdpProxy(config_now, self._changed)
            try:
                proxy.start()
            except (OSError, LinuxError) as error:
                return [f"udp proxy on {end.local} port {end.port}: {error}"]
            log.info("udp proxy reads %s and listens on %s port %d", end.tun, end.local, end.port)
            self._proxy = proxy
        peers = {peer.subnet: (peer.ip, peer.port) for peer in want.of(UdpPeer)}
        if peers != self._peers:
            self._proxy.set_routes(peers)
            self._peers = peers
        return []

    async def _stop(self) -> None:
        proxy, self._proxy, self._peers = self._proxy, None, {}
        if proxy is not None:
            await asyncio.to_thread(proxy.stop)

    async def close(self) -> None:
        """Packets of the udp backend stop; its device and routes stay for the next run."""
        await self._stop()


def _ignore(_: object) -> None:
    """Discard a handle."""
