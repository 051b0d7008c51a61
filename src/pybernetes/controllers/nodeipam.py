"""Node IPAM: assign each node its own range of pod addresses, one per family, in spec.podCIDRs.

`CidrPool` is pure. The nodes themselves record what is assigned, so nothing else is stored: at start the pools are
rebuilt from all nodes before the first new range is assigned.
"""

import logging
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from pybernetes.api.core.node import Node
from pybernetes.client.errors import NotFound
from pybernetes.client.informer import key_of
from pybernetes.controllers.base import Controller
from pybernetes.controllers.config import NodeIpamConfig
from pybernetes.controllers.types import Context

log = logging.getLogger(__name__)

Network = IPv4Network | IPv6Network

_MAX_BITS = 16
"""The most bits between a cluster's range and a node's: 65,536 nodes."""


class CidrPool:
    """Subnets of one length within one range. Invariant: `_used` holds the numbers of all subnets in use."""

    def __init__(self, cidr: str, mask: int) -> None:
        self.network: Network = ip_network(cidr)
        self.mask = mask
        bits = mask - self.network.prefixlen
        if not 0 <= bits <= _MAX_BITS:
            raise ValueError(
                f"cluster-cidr {cidr} and node-cidr-mask-size {mask} do not fit: a node's range must be inside the "
                f"cluster's and at most {_MAX_BITS} bits longer"
            )
        self._count = 1 << bits
        self._used: set[int] = set()
        self._next = 0

    def __contains__(self, network: Network) -> bool:
        return network.version == self.network.version and network.subnet_of(self.network)  # type: ignore[arg-type]

    def allocate(self) -> Network | None:
        """A free subnet; None when there is none. Allocation is round-robin, so that a range isn't reused at once."""
        for step in range(self._count):
            number = (self._next + step) % self._count
            if number not in self._used:
                self._used.add(number)
                self._next = (number + 1) % self._count
                return self._subnet(number)
        return None

    def occupy(self, network: Network) -> bool:
        """Mark a subnet (or a larger range) as in use; False if part of it already was."""
        numbers = self._numbers(network)
        free = self._used.isdisjoint(numbers)
        self._used.update(numbers)
        return free

    def release(self, network: Network) -> None:
        """Mark a subnet as free."""
        self._used.difference_update(self._numbers(network))

    def _numbers(self, network: Network) -> range:
        size = 1 << (self.network.max_prefixlen - self.mask)
        first = (int(network.network_address) - int(self.network.network_address)) // size
        last = (int(network.broadcast_address) - int(self.network.network_address)) // size
        return range(first, last + 1)

    def _subnet(self, number: int) -> Network:
        size = 1 << (self.network.max_prefixlen - self.mask)
        make = IPv4Network if self.network.version == 4 else IPv6Network
        return make((int(self.network.network_address) + number * size, self.mask))


def pools_of(config: NodeIpamConfig) -> list[CidrPool]:
    """The pools of a configuration. Raises ValueError for ranges that don't fit."""
    versions = [ip_network(cidr).version for cidr in config.cluster_cidrs]
    if len(set(versions)) != len(versions):
        raise ValueError(f"cluster-cidr takes one range per IP family, not {', '.join(config.cluster_cidrs)}")
    return [CidrPool(cidr, config.mask(version)) for cidr, version in zip(config.cluster_cidrs, versions, strict=True)]


def ranges(node: Node) -> list[Network]:
    """The ranges of a node."""
    return [ip_network(text) for text in node.spec.pod_cidrs or filter(None, [node.spec.pod_cidr])]


class NodeIpamController(Controller):
    """Keys are names of nodes."""

    name = "node-ipam-controller"
    component = "node-controller"
    settings = NodeIpamConfig

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        config = context.config.of(NodeIpamConfig)
        self._pools = pools_of(config) if config.allocate_node_cidrs else []
        self._assigned: dict[str, tuple[str, list[Network]]] = {}
        """name -> (uid, ranges assigned but not yet seen on the node): a retry assigns the same ones"""
        self._without_range: set[str] = set()
        self._nodes = self.observe(Node, self._changed)
        self._api = context.client.of(Node)

    def _changed(self, old: Node | None, new: Node | None) -> None:
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            self._forget(old)
        if new is not None and (old is None or ranges(old) != ranges(new)):
            self.queue.add(key_of(new))

    def _forget(self, node: Node) -> None:
        name = node.metadata.name
        _, pending = self._assigned.pop(name, ("", []))
        self._release({*ranges(node), *pending})
        self._without_range.discard(name)
        for name in self._without_range:
            self.queue.add(name)

    def _release(self, networks: Iterable[Network]) -> None:
        for network in networks:
            for pool in self._pools:
                if network in pool:
                    pool.release(network)

    async def start(self) -> None:
        """Learn which ranges are in use before assigning any."""
        for node in self._nodes.all():
            self._occupy(node)

    def _occupy(self, node: Node) -> None:
        for network in ranges(node):
            for pool in self._pools:
                if network in pool and not pool.occupy(network):
                    log.debug("node-ipam-controller: %s of node %s is already in use", network, node.metadata.name)

    async def reconcile(self, key: str) -> float | None:
        """Assign ranges to the node if it has none."""
        node = self._nodes.get(key)
        if node is None or not self._pools:
            return None
        if ranges(node):
            self._settle(node)
            return None
        networks = self._allocate(node)
        if networks is None:
            self._without_range.add(key)
            text = f"Node {key} status is now: CIDRNotAvailable"
            self.context.recorder.event(node, "Normal", "CIDRNotAvailable", text)
            log.warning("node-ipam-controller: no range is left for node %s", key)
            return None
        self._without_range.discard(key)
        texts = [str(network) for network in networks]
        body = {"metadata": {"uid": node.metadata.uid}, "spec": {"podCIDR": texts[0], "podCIDRs": texts}}
        try:
            await self._api.patch(key, body)
        except NotFound:
            return None
        return None

    def _settle(self, node: Node) -> None:
        """The node has ranges: mark them as in use, and free others that were assigned to it."""
        _, pending = self._assigned.pop(node.metadata.name, ("", []))
        self._release(set(pending) - set(ranges(node)))
        self._occupy(node)

    def _allocate(self, node: Node) -> list[Network] | None:
        uid, networks = self._assigned.get(node.metadata.name, ("", []))
        if uid == node.metadata.uid:
            return networks
        fresh: list[Network] = []
        for pool in self._pools:
            network = pool.allocate()
            if network is None:
                self._release(fresh)
                return None
            fresh.append(network)
        self._assigned[node.metadata.name] = (node.metadata.uid, fresh)
        return fresh
