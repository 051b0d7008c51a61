"""kube-proxy: keeps the kernel's rules up to date with Services and EndpointSlices."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Protocol

from pybernetes.api.core.service import Service
from pybernetes.api.discovery.endpoint_slice import EndpointSlice
from pybernetes.client.informer import Informer
from pybernetes.client.service_tracker import ServiceTracker
from pybernetes.linux import conntrack, nftwatch
from pybernetes.linux.errors import LinuxError
from pybernetes.proxy.flows import StaleFlows
from pybernetes.proxy.iptables_renderer import IptablesRenderer
from pybernetes.proxy.nft_renderer import NftRenderer, foreign_changes
from pybernetes.proxy.options import ProxyOptions
from pybernetes.proxy.server_changes import Change, ServerChanges

log = logging.getLogger(__name__)

_RETRY_FIRST, _RETRY_MAX = 0.2, 10.0


class Renderer(Protocol):
    """Writes virtual servers as kernel rules of one family."""

    async def apply(self, changes: Iterable[Change]) -> bool:
        """Bring the kernel up to date; returns whether anything was written. Raises LinuxError."""

    def invalidate(self) -> None:
        """Write everything with the next update."""

    async def check(self) -> bool:
        """Whether the rules still exist."""

    def close(self) -> None:
        """Release resources; the rules stay."""


MODES: dict[str, type[NftRenderer] | type[IptablesRenderer]] = {"nftables": NftRenderer, "iptables": IptablesRenderer}


class ProxyError(Exception):
    """The options are invalid."""


class KubeProxy:
    """The proxy of one node."""

    def __init__(self, options: ProxyOptions, services: Informer[Service], slices: Informer[EndpointSlice]) -> None:
        if options.mode not in MODES:
            raise ProxyError(f"--proxy-mode must be one of {', '.join(MODES)}; found {options.mode!r}")
        self._options = options
        self._informers = (services, slices)
        self._wake = asyncio.Event()
        self._tracker = ServiceTracker(changed=self._wake.set)
        self._tracker.follow(services, slices)
        self._changes = ServerChanges(options.node_name, options.versions)
        self._renderers: dict[int, Renderer] = {v: MODES[options.mode](options, v) for v in options.versions}
        self._watch: nftwatch.NftWatch | None = None
        self._ready = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether the kernel has all Services that were known at the start."""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Wait for the first complete update."""
        await self._ready.wait()

    async def run(self) -> None:
        """Run until cancelled; the rules then stay."""
        for informer in self._informers:
            await informer.synced()
        async with self._kernel_watch(), asyncio.TaskGroup() as group:
            group.create_task(self._loop(), name="proxy: apply")
            if self._watch is not None:
                group.create_task(self._repair(self._watch), name="proxy: kernel watch")

    @asynccontextmanager
    async def _kernel_watch(self) -> AsyncGenerator[None, None]:
        """Watch changes by other programs. Only nftables reports them; iptables is checked periodically."""
        async with contextlib.AsyncExitStack() as stack:
            for renderer in self._renderers.values():
                stack.callback(renderer.close)
            if self._options.mode == "nftables":
                self._watch = await stack.enter_async_context(nftwatch.watch(self._options.netns))
            yield

    async def _repair(self, watch: nftwatch.NftWatch) -> None:
        async with aclosing(foreign_changes(watch)) as changes:
            async for _ in changes:
                log.info("another program removed rules from our table: writing them again")
                self._invalidate()

    def _invalidate(self) -> None:
        for renderer in self._renderers.values():
            renderer.invalidate()
        self._wake.set()

    async def _loop(self) -> None:
        delay = 0.0
        while True:
            self._wake.clear()
            delay = await self._update(delay)
            try:
                async with asyncio.timeout(delay or self._options.sync_seconds):
                    await self._wake.wait()
            except TimeoutError:
                await self._recheck()
                continue
            await asyncio.sleep(self._options.min_sync_seconds)

    async def _recheck(self) -> None:
        try:
            if not all([await renderer.check() for renderer in self._renderers.values()]):
                log.info("our rules are missing: writing them again")
                self._invalidate()
        except LinuxError as error:
            log.warning("cannot check rules: %s", error)

    async def _update(self, delay: float) -> float:
        """Apply changes; returns the delay before a retry in seconds, or 0."""
        changes = self._changes.update(self._tracker.take())
        failed = False
        for version, renderer in self._renderers.items():
            try:
                with self._watch.own_changes() if self._watch is not None else contextlib.nullcontext():
                    await renderer.apply(changes[version])
            except LinuxError as error:
                log.error("cannot write rules for IPv%d: %s", version, error)
                renderer.invalidate()
                failed = True
                continue
            await self._delete_stale_flows(version, changes[version])
        if failed:
            return min(max(delay * 2, _RETRY_FIRST), _RETRY_MAX)
        self._ready.set()
        return 0.0

    async def _delete_stale_flows(self, version: int, changes: list[Change]) -> None:
        stale = StaleFlows(changes)
        if stale:
            gone = await asyncio.to_thread(conntrack.delete_where, stale, self._options.netns, version)
            if gone:
                log.info("deleted %d UDP flows to removed endpoints", gone)
