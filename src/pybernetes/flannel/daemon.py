"""flanneld: from leases to kernel objects, again and again.

Anything that happens (a lease changed, the kernel told of a change to what is ours, the config was replaced, time
passed) only wakes the loop. Each pass computes the whole desired state and applies the difference, so it does not
matter which event was missed.
"""

import asyncio
import logging
import os
import random
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Protocol

from pybernetes.flannel import config as network_config
from pybernetes.flannel import interface, masquerade, network, pod_bridge, subnet_file
from pybernetes.flannel.actor import Actor
from pybernetes.flannel.actors import make_actors
from pybernetes.flannel.backends import BACKENDS, Backend, make
from pybernetes.flannel.backends.wireguard import PUBLIC_KEY
from pybernetes.flannel.bird_actor import BirdActor
from pybernetes.flannel.config import ConfigError, IPAddress, NetworkConfig
from pybernetes.flannel.desired import Desired
from pybernetes.flannel.kernel import reconcile
from pybernetes.flannel.key_file import KeyFile, default_path
from pybernetes.flannel.lease import FamilyLease, Lease, LeaseError
from pybernetes.flannel.manager import Away, Held, Offer, SubnetManager
from pybernetes.flannel.metrics import FlannelMetrics
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.peer_log import PeerLog
from pybernetes.flannel.reach import Reachability
from pybernetes.flannel.transition import Former
from pybernetes.linux import link
from pybernetes.linux.errors import LinuxError
from pybernetes.linux.rtnl import Netlink

log = logging.getLogger(__name__)

_SETTLE = 0.02
_STUCK = 60.0
_RETRY_FIRST, _RETRY_MAX = 0.1, 5.0
#: The kernel tells nobody of changes to WireGuard's peers: look after them, so often and while an answer is awaited.
_UNTOLD, _ANSWER = 1.0, 0.1


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
        manager: SubnetManager,
        *,
        rules: Rules,
        drift: Drift,
        actors: Sequence[Actor] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._options = options
        self._manager = manager
        self._rules = rules
        self._drift = drift
        self._actors = make_actors(options.netns, options.subnet_file.parent) if actors is None else actors
        self._rng = rng or random.Random()
        self._wake = asyncio.Event()
        self._reported: set[str] = set()
        self._macs: dict[str, str] = {}
        self._announced: dict[str, float] = {}
        self._chosen = ""
        self._config: tuple[str, NetworkConfig] | None = None
        self._held: Held | None = None
        self._peers = PeerLog()
        self._memo = network.Memo()
        self._key = KeyFile(options.wireguard_key or default_path(os.environ, options.subnet_file.parent))
        self._waiting: tuple[str, ...] = ()
        self._former = Former(options.linger_seconds)
        self._look_again = options.resync_seconds
        self._ready = asyncio.Event()
        self._ended = time.monotonic()
        self.metrics = FlannelMetrics(time.time)
        reach = self._reach = Reachability(lambda: self._memo.peers, options.netns)
        self.metrics.reachable, self.metrics.round_trips = lambda: reach.answered, lambda: reach.seconds
        for actor in self._actors:
            if isinstance(actor, BirdActor):
                actor.count(self.metrics)

    @property
    def ready(self) -> bool:
        """Whether routes, rules and subnet.env are in place."""
        return self._ready.is_set()

    def stuck(self) -> str:
        """What is wrong when no pass has ended for too long; else empty."""
        still = time.monotonic() - self._ended
        return f"no pass has ended for {still:.0f} s" if still > 3 * self._options.resync_seconds + _STUCK else ""

    async def wait_ready(self) -> None:
        """Wait for the first complete pass."""
        await self._ready.wait()

    async def run(self) -> None:
        """Keep the network right until cancelled; the data path then stays as it is."""
        log.info("Created subnet manager: %s", self._manager.describe())
        for actor in self._actors:
            actor.start(self.poke)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch_kernel(), name="flannel: kernel watch")
                group.create_task(self._manager.run(self.poke), name="flannel: subnet manager")
                group.create_task(self._loop(), name="flannel: reconcile")
                group.create_task(self._reach.run(), name="flannel: reachability")
        finally:
            for actor in self._actors:
                await actor.close()

    def poke(self) -> None:
        """Ask for a pass."""
        self._wake.set()

    async def _watch_kernel(self) -> None:
        async with aclosing(self._drift.changes()) as changes:
            async for change in changes:
                log.debug("kernel: %s", change)
                self._wake.set()

    async def _loop(self) -> None:
        await self._manager.synced()
        delay = _RETRY_FIRST
        while True:
            self._wake.clear()
            began = time.monotonic()
            try:
                complete = await self._pass()
            except (ConfigError, interface.InterfaceError, LeaseError, LinuxError, OSError) as error:
                self._report([str(error)])
                complete = False
            except Away as error:
                log.debug("%s", error)
                complete = False
            self._ended = time.monotonic()
            problems = len(self._reported)
            self.metrics.passed(self._ended - began, complete=complete, problems=problems, ready=self.ready)
            delay = _RETRY_FIRST if complete else min(delay * 2, _RETRY_MAX)
            try:
                async with asyncio.timeout(min(self._look_again, self._options.resync_seconds) if complete else delay):
                    await self._wake.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(_SETTLE)

    async def _pass(self) -> bool:
        """One pass; whether everything is as it should be."""
        config, faults = self._read_config()
        facts: dict[str, str] = {}
        if config.backend == "wireguard":
            facts[PUBLIC_KEY] = await asyncio.to_thread(self._key.public)
        for actor in self._actors:
            facts |= await actor.prepare(config)
        with Netlink(self._options.netns) as nl:
            me = await self._me(nl, config, facts)
            leases, bad = self._manager.leases(config)
            linger = self._lingering(config, leases)
            former = self._former.follow(leases, asyncio.get_running_loop().time(), own=config.backend)
            want = network.desired_state(config, me, leases, linger=linger, former=former, memo=self._memo)
            # Before the kernel: a route must not lead to a device that nobody reads yet.
            errors = await self._act(config, me, want)
            key = self._key.private() if want.wireguards else ""
            outcome = await asyncio.to_thread(partial(reconcile, nl, want, private_key=key))
            gateways = [f"{part.gateway}/{part.subnet.prefixlen}" for part in me.lease.families]
            mended = pod_bridge.mend(nl, gateways, network.mtu(config, me.underlay))
        for line in (*outcome.done, *mended):
            log.info("%s", line)
        errors += outcome.errors
        self._peers.tell(self._memo.peers)
        self.metrics.saw(config.backend, leases, self._memo.peers)
        rules = await self._ensure_rules(config, me)
        self.metrics.applied(want, [*outcome.done, *mended], rules, errors)
        self._write_subnet_file(config, me)
        self._report([*faults, *bad, *want.problems, *errors])
        self._tell_waiting(outcome.waiting)
        self._look_again = _ANSWER if outcome.waiting else _UNTOLD if want.wireguards else self._options.resync_seconds
        if errors:
            return False
        await self._manager.announce(me.lease)
        if not self.ready:
            log.info("Running backend.")
        self._ready.set()
        return True

    async def _act(self, config: NetworkConfig, me: network.Node, want: Desired) -> list[str]:
        errors: list[str] = []
        for actor in self._actors:
            errors += await actor.apply(config, me, want)
        return errors

    def _read_config(self) -> tuple[NetworkConfig, list[str]]:
        """The config, or the last good one and what is wrong with the new."""
        try:
            text = self._manager.config()
            if self._config is None or self._config[0] != text:
                config = network_config.parse(text, frozenset(BACKENDS))
                backend = make(config.backend, config.options)
                if self._config is not None:
                    before = self._config[1]
                    config = replace(config, former={**before.former, before.backend: before.options})
                log.info("Found network config - Backend type: %s", config.backend)
                if describe := getattr(backend, "describe", None):
                    log.info("%s", describe())
                self._config = text, config
        except (ConfigError, OSError) as error:
            if self._config is None:
                raise
            return self._config[1], [f"{error}; the config before it stays in use"]
        return self._config[1], []

    async def _me(self, nl: Netlink, config: NetworkConfig, facts: Mapping[str, str]) -> network.Node:
        """This node's own lease, as it will be announced."""
        versions = self._manager.versions(config)
        choice = interface.choose(nl, self._options.selection, versions)
        self._tell_interface(choice)
        backend = make(config.backend, config.options)
        known = {**facts, **self._link_macs(nl, config, backend, choice.public)}
        data = {version: backend.announce(version, known) for version in versions}
        held = await self._manager.acquire(config, Offer(config.backend, choice.public, data))
        self._tell_change(held)
        parts = tuple(
            FamilyLease(subnet, choice.public[version], data[version])
            for version, subnet in sorted(held.subnets.items())
        )
        return network.Node(Lease(held.name, config.backend, parts), choice.underlay)

    def _tell_waiting(self, waiting: tuple[str, ...]) -> None:
        for line in waiting:
            if line not in self._waiting:
                log.info("%s", line)
        self._waiting = waiting

    def _tell_interface(self, choice: interface.Choice) -> None:
        if choice.underlay.link == self._chosen:
            return
        self._chosen = choice.underlay.link
        self._drift.follow(self._chosen)
        own = [str(i.ip) for i in choice.underlay.addresses if i.version in choice.public]
        log.info("Using interface with name %s and address %s: it %s", self._chosen, ", ".join(own), choice.reason)
        log.info("Using %s as external address", ", ".join(str(ip) for ip in choice.public.values()))

    def _tell_change(self, held: Held) -> None:
        """Say what a new subnet means for the pods that are there."""
        before, self._held = self._held, held
        for version, subnet in before.subnets.items() if before else ():
            if held.subnets.get(version) != subnet:
                log.warning(
                    "the subnet of this node was %s and is %s now: pods that run here keep addresses of %s, which"
                    " peers no longer send here; start them anew",
                    subnet,
                    held.subnets.get(version),
                    subnet,
                )

    def _link_macs(
        self, nl: Netlink, config: NetworkConfig, backend: Backend, public: Mapping[int, IPAddress]
    ) -> dict[str, str]:
        """The MACs of our links: the device's own, else the one announced before, else a new one.

        Peers hold the MAC in permanent entries, so it must outlive a restart, and better a reboot too.
        """
        name_of = getattr(backend, "link_name", None)
        if name_of is None:
            return {}
        told = self._manager.told(config, public)
        for version in sorted(public):
            name = name_of(version)
            present = link.find(nl, name)
            if present is not None and present.kind == "vxlan":
                self._macs.setdefault(name, present.mac)
            elif name not in self._macs:
                before = told.get(version, {}).get("VtepMAC", "")
                self._macs[name] = str(before) or random_mac(self._rng)
        return self._macs

    def _lingering(self, config: NetworkConfig, leases: list[Lease]) -> frozenset[str]:
        """Backends announced until a moment ago, by us or by peers."""
        now = asyncio.get_running_loop().time()
        for kind in {config.backend, *(lease.backend for lease in leases if lease.backend in BACKENDS)}:
            self._announced[kind] = now
        recent = {k for k, seen in self._announced.items() if now - seen < self._options.linger_seconds}
        if recent - {config.backend}:
            asyncio.get_running_loop().call_later(self._options.linger_seconds + 0.1, self._wake.set)
        return frozenset(recent)

    async def _ensure_rules(self, config: NetworkConfig, me: network.Node) -> list[str]:
        pods = [
            masquerade.PodNetwork(family.network, part.subnet)
            for family in config.families
            if (part := me.lease.family(family.version)) is not None
        ]
        done = await self._rules.ensure(pods)
        for line in done:
            log.info("%s", line)
        return done

    def _write_subnet_file(self, config: NetworkConfig, me: network.Node) -> None:
        families = {}
        for family in config.families:
            part = me.lease.family(family.version)
            if part is not None:
                families[family.version] = (str(family.network), f"{part.gateway}/{part.subnet.prefixlen}")
        content = subnet_file.SubnetFile(families, network.mtu(config, me.underlay), self._options.ip_masq)
        if subnet_file.write(self._options.subnet_file, content):
            log.info(
                "Wrote subnet file to %s: %s", self._options.subnet_file, content.render().replace("\n", " ").strip()
            )

    def _report(self, problems: list[str]) -> None:
        """Each problem once, until it has gone."""
        for problem in problems:
            if problem not in self._reported:
                log.warning("%s", problem)
        for gone in self._reported - set(problems):
            log.info("no longer: %s", gone)
        self._reported = set(problems)
