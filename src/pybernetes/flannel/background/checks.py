"""Background checks that run independently of reconcile passes: reachability, path MTU, checksum offload, foreign
SNAT rules. What they find does not show in the state of kernel objects.
"""

import random
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from pybernetes.flannel import network
from pybernetes.flannel.backends import Backends, make
from pybernetes.flannel.background.foreign_snat import ForeignSnat
from pybernetes.flannel.background.offload import Offload, Prober, Tunnel
from pybernetes.flannel.background.path_mtu import PathMtu, PeerPath
from pybernetes.flannel.background.reach import Reachability
from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.kernel.links import LinkKind
from pybernetes.flannel.leases.lease import Lease, Node
from pybernetes.flannel.masquerade import pod_networks
from pybernetes.flannel.metrics import FlannelMetrics
from pybernetes.linux import link
from pybernetes.linux.rtnl import Netlink


def paths(config: NetworkConfig, me: Node, peers: Iterable[Lease], backends: Backends) -> list[PeerPath]:
    """The path to each peer, with the size of the packets that carry the largest ones of pods."""
    backend = make(config.backend, config.options, backends)
    mtu, underlay = network.mtu(config, me.underlay, backends), me.underlay
    settable = backend.mtu is not None
    return [
        PeerPath(peer.node, part.public_ip, min(underlay.mtu, mtu + overhead), overhead * settable, underlay.link)
        for peer in peers
        if peer.backend == config.backend
        for part in peer.families
        for overhead in (backend.overhead(part.subnet.version),)
    ]


def tunnels(nl: Netlink, want: Desired, underlay: int, kinds: Sequence[LinkKind[Any]]) -> list[Tunnel]:
    """The devices present whose checksum offload is to be probed, with the peers' ends behind them."""
    found = []
    for wanted in [device for kind in kinds if kind.probe_checksums for device in want.of(kind.type)]:
        present = link.find(nl, wanted.name)
        own = next((a.cidr.partition("/")[0] for a in want.addresses if a.link == wanted.name), "")
        if present is not None and own:
            ends = tuple(r.gateway for r in want.routes if r.link == wanted.name and r.gateway)
            found.append(Tunnel(wanted.name, present.index, underlay, own, ends))
    return found


class Background:
    """All background checks of one daemon."""

    def __init__(
        self,
        peers: Callable[[], Iterable[Lease]],
        target: str | None,
        metrics: FlannelMetrics,
        rng: random.Random,
        *,
        backends: Backends,
        devices: Sequence[LinkKind[Any]],
    ) -> None:
        self._backends = backends
        self._devices = devices
        self._paths: list[PeerPath] = []
        reach = self._reach = Reachability(peers, target)
        mtu = self._mtu = PathMtu(lambda: self._paths, target)
        offload = self._offload = Offload(Prober(target, rng), rng, target)
        self._foreign_snat = ForeignSnat(target)
        metrics.reachable, metrics.round_trips = lambda: reach.answered, lambda: reach.seconds
        metrics.path_mtus, metrics.offload_off = lambda: mtu.sizes, lambda: offload.switched_off

    def work(self, changed: Callable[[], None]) -> dict[str, Coroutine[Any, Any, None]]:
        """The coroutines to run, by name; they call `changed` when the problems change."""
        return {
            "flannel: reachability": self._reach.run(),
            "flannel: path MTU": self._mtu.run(changed),
            "flannel: checksum offload": self._offload.run(),
            "flannel: rules of others": self._foreign_snat.run(changed),
        }

    @property
    def problems(self) -> list[str]:
        """One sentence for each problem found."""
        return [*self._mtu.problems, *self._foreign_snat.problems]

    def after(self, nl: Netlink, config: NetworkConfig, me: Node, peers: list[Lease], want: Desired) -> list[str]:
        """Update the checks after a pass; returns what had to be repaired, in words."""
        self._paths = paths(config, me, peers, self._backends)
        self._mtu.look()
        self._foreign_snat.see(pod_networks(config, me.lease), frozenset(r.link for r in want.routes if r.link))
        return self._offload.see(tunnels(nl, want, me.underlay.index, self._devices))
