"""flanneld: from Nodes to kernel objects, again and again.

Anything that happens (a Node changed, the kernel told of a change to what is ours, the config file was replaced,
time passed) only wakes the loop. Each pass computes the whole desired state and applies the difference, so it does
not matter which event was missed.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Protocol

from pybernetes.api.core.node import Node
from pybernetes.client.client import STRATEGIC_MERGE_PATCH, Client
from pybernetes.client.errors import ApiError, Unreachable
from pybernetes.client.informer import Informer
from pybernetes.flannel import config as network_config
from pybernetes.flannel import interface, kube, masquerade, network, pod_bridge, subnet_file
from pybernetes.flannel.backends import BACKENDS, make
from pybernetes.flannel.config import ConfigError, NetworkConfig
from pybernetes.flannel.kernel import reconcile
from pybernetes.flannel.lease import FamilyLease, Lease
from pybernetes.flannel.options import FlannelOptions
from pybernetes.linux import inotify, link
from pybernetes.linux.errors import LinuxError
from pybernetes.linux.rtnl import Netlink

log = logging.getLogger(__name__)

_SETTLE = 0.02
_RETRY_FIRST, _RETRY_MAX = 0.1, 5.0


class Rules(Protocol):
    """Keeps the masquerade and forward rules in the kernel."""

    async def ensure(self, networks: list[masquerade.PodNetwork]) -> list[str]:
        """Put the rules there if they are not; returns what was mended, in words."""


class Drift(Protocol):
    """Tells of changes in the kernel that may concern us."""

    def changes(self) -> AsyncGenerator[str, None]:
        """A few words for each change, as it happens."""

    def follow(self, link: str) -> None:
        """Changes of this link concern us too."""


def random_mac(rng: random.Random) -> str:
    """A locally administered unicast MAC."""
    octets = [(rng.getrandbits(8) & 0xFC) | 0x02, *(rng.getrandbits(8) for _ in range(5))]
    return ":".join(f"{octet:02x}" for octet in octets)


class Flanneld:
    """The daemon of one node."""

    def __init__(
        self,
        options: FlannelOptions,
        client: Client,
        nodes: Informer[Node],
        *,
        rules: Rules,
        drift: Drift,
        rng: random.Random | None = None,
    ) -> None:
        self._options = options
        self._client = client.of(Node)
        self._nodes = nodes
        self._rules = rules
        self._drift = drift
        self._rng = rng or random.Random()
        self._wake = asyncio.Event()
        self._reported: set[str] = set()
        self._macs: dict[str, str] = {}
        self._announced: dict[str, float] = {}
        self._chosen = ""
        self._memo = network.Memo()
        self._known: dict[str, tuple[Any, Lease | None]] = {}
        self._ready = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether routes, rules and subnet.env are in place."""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Wait for the first complete pass."""
        await self._ready.wait()

    async def run(self) -> None:
        """Keep the network right until cancelled; the data path then stays as it is."""
        self._nodes.add_handler(self._node_changed)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_kernel(), name="flannel: kernel watch")
            group.create_task(self._watch_config(), name="flannel: config watch")
            group.create_task(self._loop(), name="flannel: reconcile")

    def poke(self) -> None:
        """Ask for a pass."""
        self._wake.set()

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        """Heartbeats change Nodes all the time; only what leases are made of counts."""
        if old is None or new is None or _lease_facts(old) != _lease_facts(new):
            self._wake.set()

    async def _watch_kernel(self) -> None:
        async with aclosing(self._drift.changes()) as changes:
            async for change in changes:
                log.debug("kernel: %s", change)
                self._wake.set()

    async def _watch_config(self) -> None:
        """The config file may be replaced as a whole, so its directory is watched."""
        watcher = inotify.Watcher()
        try:
            watcher.add(self._options.net_conf.parent, inotify.CLOSE_WRITE | inotify.MOVED_TO | inotify.CREATE)
            while True:
                await watcher.wait()
                self._wake.set()
        finally:
            watcher.close()

    async def _loop(self) -> None:
        await self._nodes.synced()
        delay = _RETRY_FIRST
        while True:
            self._wake.clear()
            try:
                complete = await self._pass()
            except (ConfigError, interface.InterfaceError, kube.LeaseError, LinuxError, OSError) as error:
                self._report([str(error)])
                complete = False
            except (ApiError, Unreachable) as error:
                log.debug("lease not announced: %s", error)
                complete = False
            delay = _RETRY_FIRST if complete else min(delay * 2, _RETRY_MAX)
            try:
                async with asyncio.timeout(self._options.resync_seconds if complete else delay):
                    await self._wake.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(_SETTLE)

    async def _pass(self) -> bool:
        """One pass; whether everything is as it should be."""
        node = self._nodes.cache.find(self._options.node_name)
        if node is None:
            self._report([f"node {self._options.node_name} is not registered yet"])
            return False
        config = network_config.parse(self._options.net_conf.read_text(), frozenset(BACKENDS))
        with Netlink(self._options.netns) as nl:
            me = self._me(nl, node, config)
            leases, faults = self._leases(config)
            linger = self._lingering(config, leases)
            want = network.desired_state(config, me, leases, linger=linger, memo=self._memo)
            outcome = await asyncio.to_thread(reconcile, nl, want)
            gateways = [f"{part.gateway}/{part.subnet.prefixlen}" for part in me.lease.families]
            mended = pod_bridge.mend(nl, gateways, network.mtu(config, me.underlay))
        for line in (*outcome.done, *mended):
            log.info("%s", line)
        pods = [
            masquerade.PodNetwork(family.network, part.subnet)
            for family in config.families
            if (part := me.lease.family(family.version)) is not None
        ]
        for line in await self._rules.ensure(pods):
            log.info("%s", line)
        self._write_subnet_file(config, me)
        self._report([*faults, *want.problems, *outcome.errors])
        if outcome.errors:
            return False
        await self._announce(node, me.lease)
        self._ready.set()
        return True

    def _me(self, nl: Netlink, node: Node, config: NetworkConfig) -> network.Node:
        """This node's own lease, as it will be announced."""
        subnets = kube.subnets(node, config)
        if not subnets:
            raise kube.LeaseError(f"{node.metadata.name}: {kube.NO_SUBNET}")
        choice = interface.choose(nl, self._options.selection, sorted(subnets))
        if choice.underlay.link != self._chosen:
            self._chosen = choice.underlay.link
            self._drift.follow(self._chosen)
            addresses = ", ".join(str(ip) for ip in choice.public.values())
            log.info("using interface %s, address %s: it %s", choice.underlay.link, addresses, choice.reason)
        backend = make(config.backend, config.options)
        macs = self._link_macs(nl, node, backend, sorted(subnets))
        parts = tuple(
            FamilyLease(subnet, choice.public[version], backend.announce(version, macs))
            for version, subnet in sorted(subnets.items())
        )
        return network.Node(Lease(node.metadata.name, config.backend, parts), choice.underlay)

    def _link_macs(self, nl: Netlink, node: Node, backend: Any, versions: list[int]) -> dict[str, str]:
        """The MACs of our links: the device's own, else the one announced before, else a new one.

        Peers hold the MAC in permanent entries, so it must outlive a restart, and better a reboot too.
        """
        name_of = getattr(backend, "link_name", None)
        if name_of is None:
            return {}
        for version in versions:
            name = name_of(version)
            present = link.find(nl, name)
            if present is not None and present.kind == "vxlan":
                self._macs.setdefault(name, present.mac)
            elif name not in self._macs:
                told = kube.announced_mac(node, version)
                self._macs[name] = told or random_mac(self._rng)
        return self._macs

    def _leases(self, config: NetworkConfig) -> tuple[list[Lease], list[str]]:
        leases, faults = [], []
        nodes = self._nodes.cache.all()
        for gone in self._known.keys() - {node.metadata.name for node in nodes}:
            del self._known[gone]
        for node in nodes:
            try:
                lease = self._lease_of(node, config)
            except kube.LeaseError as error:
                faults.append(f"{node.metadata.name}: {error}; skipped")
                continue
            if lease is not None:
                leases.append(lease)
        return leases, faults

    def _lease_of(self, node: Node, config: NetworkConfig) -> Lease | None:
        """The lease of a Node; the very same object as before where nothing that makes it has changed."""
        facts = (config, _lease_facts(node))
        known = self._known.get(node.metadata.name)
        if known is None or known[0] != facts:
            known = self._known[node.metadata.name] = (facts, kube.lease_of(node, config))
        return known[1]

    def _lingering(self, config: NetworkConfig, leases: list[Lease]) -> frozenset[str]:
        """Backends announced until a moment ago, by us or by peers."""
        now = asyncio.get_running_loop().time()
        for kind in {config.backend, *(lease.backend for lease in leases if lease.backend in BACKENDS)}:
            self._announced[kind] = now
        recent = {k for k, seen in self._announced.items() if now - seen < self._options.linger_seconds}
        if recent - {config.backend}:
            asyncio.get_running_loop().call_later(self._options.linger_seconds + 0.1, self._wake.set)
        return frozenset(recent)

    def _write_subnet_file(self, config: NetworkConfig, me: network.Node) -> None:
        families = {}
        for family in config.families:
            part = me.lease.family(family.version)
            if part is not None:
                families[family.version] = (str(family.network), f"{part.gateway}/{part.subnet.prefixlen}")
        content = subnet_file.SubnetFile(families, network.mtu(config, me.underlay), self._options.ip_masq)
        if subnet_file.write(self._options.subnet_file, content):
            log.info("wrote %s: %s", self._options.subnet_file, content.render().replace("\n", " ").strip())

    async def _announce(self, node: Node, lease: Lease) -> None:
        """Tell the peers, if what they know differs, and clear the condition that keeps pods away."""
        notes = kube.annotations(lease)
        if any(node.metadata.annotations.get(key) != value for key, value in notes.items()):
            await self._client.patch(node.metadata.name, {"metadata": {"annotations": notes}})
            log.info("announced %s: %s", lease.backend, ", ".join(str(f.subnet) for f in lease.families))
        if not any(c.type == "NetworkUnavailable" and c.status == "False" for c in node.status.conditions):
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            await self._client.patch(
                node.metadata.name,
                {"status": {"conditions": [kube.condition(now)]}},
                subresource="status",
                content_type=STRATEGIC_MERGE_PATCH,
            )

    def _report(self, problems: list[str]) -> None:
        """Each problem once, until it has gone."""
        for problem in problems:
            if problem not in self._reported:
                log.warning("%s", problem)
        for gone in self._reported - set(problems):
            log.info("no longer: %s", gone)
        self._reported = set(problems)


def _lease_facts(node: Node) -> tuple[Any, ...]:
    notes = node.metadata.annotations
    ours = tuple(sorted((k, v) for k, v in notes.items() if k.startswith(kube.PREFIX)))
    unavailable = any(c.type == "NetworkUnavailable" and c.status != "False" for c in node.status.conditions)
    return (ours, tuple(node.spec.pod_cidrs), node.spec.pod_cidr, unavailable)
