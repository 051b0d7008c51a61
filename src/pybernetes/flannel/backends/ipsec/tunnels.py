"""Tunnels to peers: configured in charon, set up, checked.

charon decides nothing here: each check decides which tunnels there should be, and when to retry, from what charon lists
and what the kernel has. So it does not matter what was lost: charon's memory, the kernel's states, or an event.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pybernetes.flannel.backends.ipsec.connections import (
    Tunnel,
    connection,
    goes_first,
    name_of,
    reason,
    shared,
    tunnels,
)
from pybernetes.flannel.backends.ipsec.interface import IF_IDS
from pybernetes.flannel.backends.ipsec.policies import IpsecEnd, IpsecPeer
from pybernetes.flannel.backends.ipsec.vici import Vici, ViciError, connect
from pybernetes.linux import xfrm

log = logging.getLogger(__name__)

#: How long the node that is not the initiator waits for the other one.
_COURTESY = 1.0
_RETRY_MAX = 15.0
_INITIATE_SECONDS = 20.0
#: Log a problem after this many failures: while a network changes its backend, peers are not ready yet.
_LOG_AFTER = 2
#: States of a charon that died, here and at its peers, are removed when new ones have been in use for this long.
_ORPHAN_SECONDS = 5
_SAME_TIME = 3
_AT_ONCE = 8


@dataclass(slots=True)
class _Attempt:
    """The attempts to set up a tunnel."""

    not_before: float
    failures: int = 0
    logged: str = ""
    task: asyncio.Task[None] | None = None


def outlived(listed: Sequence[Tunnel], states: Sequence[xfrm.State], now: float) -> list[str]:
    """charon's numbers of tunnels that were replaced: there is a newer one to the same peer, in use for a while.

    Two of about the same age are left alone: both nodes initiated one, and the nodes might disagree on which is older.
    """
    added = {state.spi: state.added for state in states}
    born = {t: min(added[spi] for spi in t.spis) for t in listed if all(spi in added for spi in t.spis)}
    youngest: dict[str, int] = {}
    for tunnel, time_of in born.items():
        youngest[tunnel.connection] = max(time_of, youngest.get(tunnel.connection, 0))
    kept = {t.ike for t, time_of in born.items() if youngest[t.connection] - time_of <= _SAME_TIME}
    return [t.ike for t in born if t.ike not in kept and now - youngest[t.connection] > _ORPHAN_SECONDS]


class Tunnels:
    """All tunnels of this node."""

    def __init__(self, socket: Path, netns: str | None) -> None:
        self._socket = socket
        self._netns = netns
        self._loaded: dict[str, tuple[IpsecEnd, IpsecPeer]] = {}
        self._attempts: dict[str, _Attempt] = {}
        self._suspects: set[Tunnel] = set()
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self._lock = asyncio.Lock()
        self.again = asyncio.Event()
        """Set when another check is needed at once."""

    def forget(self) -> None:
        """charon was restarted and has no connections."""
        for attempt in self._attempts.values():
            if attempt.task is not None:
                attempt.task.cancel()
        self._loaded, self._attempts, self._suspects = {}, {}, set()

    async def look(self, end: IpsecEnd, peers: Sequence[IpsecPeer]) -> list[str]:
        """One check: load connections, set up tunnels, replace broken ones. Returns sentences about what charon
        refuses. Raises ViciError, OSError.
        """
        async with self._lock, connect(self._socket) as vici:
            problems = await self._load(vici, end, {name_of(peer): peer for peer in peers})
            listed = tunnels(await vici.stream("list-sas", "list-sa", {}))
            with xfrm.Xfrm(self._netns) as nl:
                states = [state for if_id in IF_IDS.values() for state in nl.states(if_id)]
                self._drop_orphans(nl, listed, states)
            for ike in outlived(listed, states, time.time()):
                await self._terminate(vici, ike)
            dead = {t for t in listed if t.connection in self._loaded and not {s.spi for s in states} >= set(t.spis)}
            # A tunnel that is being renewed may be listed without its states: replace it only if two checks agree.
            alive = {t.connection for t in listed if t not in dead}
            for tunnel in dead & self._suspects:
                if tunnel.connection not in alive:
                    log.warning("the kernel has lost the IPsec states of %s: setting up new ones", tunnel.connection)
                await self._terminate(vici, tunnel.ike)
            if dead:
                self.again.set()
            self._suspects = dead - self._suspects
        self._set_up(alive)
        return problems

    async def _load(self, vici: Vici, end: IpsecEnd, wanted: dict[str, IpsecPeer]) -> list[str]:
        problems = []
        for name in [name for name in self._loaded if name not in wanted]:
            await self._unload(vici, name)
        for name, peer in wanted.items():
            before = self._loaded.get(name)
            if before == (end, peer):
                continue
            try:
                await vici.call("load-shared", shared(end, peer))
                await vici.call("load-conn", connection(end, peer))
            except ViciError as error:
                problems.append(f"{peer.node}: {error}; is Backend.ESPProposal one that strongSwan knows?")
                continue
            self._loaded[name] = (end, peer)
            log.info("connection to %s (%s) loaded into charon", peer.node, peer.remote)
            if before is not None:
                await self._terminate_all(vici, name)
            wait = 0.0 if goes_first(peer) else _COURTESY
            self._attempts[name] = _Attempt(asyncio.get_running_loop().time() + wait)
        return problems

    async def _unload(self, vici: Vici, name: str) -> None:
        _, peer = self._loaded.pop(name)
        attempt = self._attempts.pop(name, None)
        if attempt is not None and attempt.task is not None:
            attempt.task.cancel()
        await vici.call("unload-conn", {"name": name})
        await vici.call("unload-shared", {"id": name})
        await self._terminate_all(vici, name)
        log.info("connection to %s (%s) removed from charon", peer.node, peer.remote)

    async def _terminate_all(self, vici: Vici, name: str) -> None:
        for tunnel in {t.ike for t in tunnels(await vici.stream("list-sas", "list-sa", {"ike": name}))}:
            await self._terminate(vici, tunnel)

    async def _terminate(self, vici: Vici, ike: str) -> None:
        try:
            await vici.call("terminate", {"ike-id": ike, "force": "yes", "timeout": "-1"})
        except ViciError as error:
            log.debug("%s", error)  # it has gone already

    def _drop_orphans(self, nl: xfrm.Xfrm, listed: Sequence[Tunnel], states: Sequence[xfrm.State]) -> None:
        known = {spi for tunnel in listed for spi in tunnel.spis}
        now = time.time()
        served = {(s.src, s.dst) for s in states if s.spi in known and now - s.added > _ORPHAN_SECONDS}
        orphans = [
            s for s in states if s.spi not in known and now - s.added > _ORPHAN_SECONDS and (s.src, s.dst) in served
        ]
        if orphans:
            nl.remove_states(orphans)
            log.info("%d IPsec states of a previous charon removed", len(orphans))

    def _set_up(self, up: set[str]) -> None:
        now = asyncio.get_running_loop().time()
        for name, attempt in self._attempts.items():
            if name in up:
                if attempt.logged:
                    log.info("no longer: %s", attempt.logged)
                attempt.failures, attempt.logged = 0, ""
                attempt.not_before = now
            elif attempt.task is None and now >= attempt.not_before:
                attempt.task = asyncio.create_task(self._initiate(name, attempt), name=f"flannel: tunnel {name}")

    async def _initiate(self, name: str, attempt: _Attempt) -> None:
        _, peer = self._loaded[name]
        message = {"ike": name, "child": name, "timeout": str(round(_INITIATE_SECONDS * 1000)), "loglevel": "1"}
        try:
            async with self._limit, connect(self._socket) as vici:
                is_up, lines = await vici.initiate(message, seconds=_INITIATE_SECONDS + 5)
        except ViciError as error:
            is_up, lines = False, [str(error)]
        attempt.task = None
        now = asyncio.get_running_loop().time()
        if is_up:
            log.info("tunnel to %s (%s) is up", peer.node, peer.remote)
        else:
            attempt.failures += 1
            attempt.not_before = now + min(0.5 * 2**attempt.failures, _RETRY_MAX)
            problem = f"no tunnel to {peer.node} ({peer.remote}): {reason(lines)}"
            if attempt.failures >= _LOG_AFTER and problem != attempt.logged:
                log.warning("%s", problem)
                attempt.logged = problem
        self.again.set()
