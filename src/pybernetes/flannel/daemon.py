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
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Protocol

from pybernetes.flannel import interface, masquerade, network, overlap, pod_bridge, subnet_file
from pybernetes.flannel.address_warnings import address_warnings
from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.backends.actors import make_actors
from pybernetes.flannel.backends.bgp.actor import BirdActor
from pybernetes.flannel.backends.wireguard.backend import PUBLIC_KEY
from pybernetes.flannel.backends.wireguard.key_file import KeyFile, default_path
from pybernetes.flannel.background.checks import Background
from pybernetes.flannel.config import ConfigError, IPNetwork, NetworkConfig
from pybernetes.flannel.config_reader import ConfigReader
from pybernetes.flannel.identity import Identity
from pybernetes.flannel.kernel.desired import Desired, last_resort, merge
from pybernetes.flannel.kernel.fast_path import Reconciler
from pybernetes.flannel.kernel.reconcile import observe
from pybernetes.flannel.leases.lease import Lease, LeaseError
from pybernetes.flannel.leases.manager import Away, SubnetManager
from pybernetes.flannel.leases.peer_log import PeerLog
from pybernetes.flannel.metrics import FlannelMetrics
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.problem_log import ProblemLog
from pybernetes.flannel.transition.recovery import remains
from pybernetes.flannel.transition.transition import Transition
from pybernetes.linux.errors import LinuxError
from pybernetes.linux.rtnl import Netlink

log = logging.getLogger(__name__)

_SETTLE = 0.02
_STUCK = 60.0
_RETRY_FIRST, _RETRY_MAX = 0.1, 5.0
#: The kernel tells nobody of changes to WireGuard's peers: look after them so often.
_UNTOLD = 1.0


class Rules(Protocol):
    """Keeps the masquerade and forward rules in the kernel."""

    async def ensure(self, wanted: masquerade.Wanted) -> list[str]:
        """Put the rules there if they are not; returns what was mended, in words."""


class Drift(Protocol):
    """Tells of changes in the kernel that may concern us."""

    def changes(self) -> AsyncGenerator[str, None]:
        """A few words for each change, as it happens."""

    def follow(self, link: str) -> None:
        """Changes of this link concern us too."""


class Facts(Protocol):
    """What is known of the cluster beside leases."""

    @property
    def services(self) -> tuple[IPNetwork, ...]:
        """Ranges of Services."""

    @property
    def policies(self) -> Mapping[str, int]:
        """NetworkPolicies by namespace."""

    async def learned(self) -> None:
        """Wait a while for the first answers."""

    async def run(self, changed: Callable[[], None]) -> None:
        """Keep it fresh; call `changed` when the services are others."""


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
        facts: Facts | None = None,
        rng: random.Random | None = None,
    ) -> None:
        rng = rng or random.Random()
        self._options = options
        self._manager = manager
        self._rules = rules
        self._drift = drift
        self._actors = make_actors(options.netns, options.subnet_file.parent) if actors is None else actors
        self._wake = asyncio.Event()
        self._problem_log = ProblemLog()
        self._reader = ConfigReader(manager)
        self._identity = Identity(options.selection, manager, drift.follow, rng)
        self._peers = PeerLog()
        self._memo = network.Memo()
        self._kernel = Reconciler()
        self._key = KeyFile(options.wireguard_key or default_path(os.environ, options.subnet_file.parent))
        self._transition = Transition(options.linger_seconds)
        self._look_again = options.resync_seconds
        self._ready = asyncio.Event()
        self._ended = time.monotonic()
        self.metrics = FlannelMetrics(time.time)
        self._background = Background(lambda: self._memo.peers, options.netns, self.metrics, rng)
        self._guard = overlap.Guard(subnet_file.previous_networks(options.subnet_file).values())
        self._facts = facts
        if facts is not None:
            self.metrics.policies = lambda: sum(facts.policies.values())
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
                for name, work in self._background.work(self.poke).items():
                    group.create_task(work, name=name)
                if self._facts is not None:
                    group.create_task(self._facts.run(self.poke), name="flannel: facts of the cluster")
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
        if self._facts is not None:
            await self._facts.learned()
        delay = _RETRY_FIRST
        while True:
            self._wake.clear()
            began = time.monotonic()
            try:
                complete = await self._pass()
            except (ConfigError, interface.InterfaceError, LeaseError, LinuxError, OSError) as error:
                self._problem_log.report([str(error)])
                complete = False
            except Away as error:
                log.debug("%s", error)
                complete = False
            self._ended = time.monotonic()
            seconds, problems = self._ended - began, self._problem_log.problems
            self.metrics.passed(seconds, complete=complete, problems=problems, ready=self.ready)
            delay = _RETRY_FIRST if complete else min(delay * 2, _RETRY_MAX)
            try:
                async with asyncio.timeout(min(self._look_again, self._options.resync_seconds) if complete else delay):
                    await self._wake.wait()
            except TimeoutError:
                continue
            # What comes alone is seen to at once; of what comes in a row, the rest is gathered for the next pass.
            await asyncio.sleep(max(0.0, self._ended + _SETTLE - time.monotonic()))

    async def _pass(self) -> bool:
        """One pass; whether everything is as it should be."""
        with Netlink(self._options.netns) as nl:
            config, faults = self._reader.read(partial(self._refuse_overlap, nl))
            facts: dict[str, str] = {}
            if config.backend == "wireguard":
                facts[PUBLIC_KEY] = await asyncio.to_thread(self._key.public)
            for actor in self._actors:
                facts |= await actor.prepare(config)
            me = await self._identity.of(nl, config, facts)
            leases, bad = self._manager.leases(config)
            if not self._transition.knows_its_past:
                config = self._recall(nl, leases)
            linger, former = self._transition.follow(config.backend, leases, time.monotonic())
            want = network.desired_state(config, me, leases, linger=linger, former=former, memo=self._memo)
            want = self._transition.keep(want, time.monotonic())
            if self._options.blackhole:
                want = merge([want, last_resort(me.lease)])
            # Before the kernel: a route must not lead to a device that nobody reads yet.
            errors = await self._act(config, me, want)
            key = self._key.private() if want.wireguards else ""
            outcome = await asyncio.to_thread(partial(self._kernel.reconcile, nl, want, private_key=key))
            gateways = [f"{part.gateway}/{part.subnet.prefixlen}" for part in me.lease.families]
            mended = pod_bridge.mend(nl, gateways, network.mtu(config, me.underlay))
            mended += self._background.after(nl, config, me, self._memo.peers, want)
            doubtful = address_warnings(me.lease, me.underlay, self._memo.peers)
            if self.ready:
                doubtful += self._guard.warnings(config, self._ground(nl, [part.subnet for part in me.lease.families]))
        for line in (*outcome.done, *mended):
            log.info("%s", line)
        errors += outcome.errors
        self._peers.tell(self._memo.peers)
        self.metrics.saw(config.backend, leases, self._memo.peers)
        rules = await self._ensure_rules(config, me)
        self.metrics.applied(want, [*outcome.done, *mended], rules, errors)
        self._write_subnet_file(config, me)
        self._problem_log.report([*faults, *bad, *want.problems, *doubtful, *self._background.problems, *errors])
        self._problem_log.waiting(outcome.waiting)
        again = self._transition.look_again(time.monotonic(), waiting=bool(outcome.waiting))
        self._look_again = min(again, _UNTOLD if want.wireguards else self._resync(config))
        if errors or not self._identity.confirmed:
            return False
        await self._manager.announce(me.lease)
        if not self.ready:
            log.info("Running backend.")
        self._ready.set()
        self._guard.used(config)
        return True

    def _refuse_overlap(self, nl: Netlink, config: NetworkConfig) -> None:
        """Before we have a lease: this node's subnets are those of an earlier life. Raises ConfigError."""
        here = {address.ip for _, address in overlap.look(nl)}
        leases, _ = self._manager.leases(config)
        own = [part.subnet for lease in leases for part in lease.families if part.public_ip in here]
        own += subnet_file.previous_subnets(self._options.subnet_file).values()
        self._guard.refuse(config, self._ground(nl, own))

    def _ground(self, nl: Netlink, own: Sequence[IPNetwork]) -> overlap.Ground:
        """What the pod network must not lie on; `own` are this node's subnets."""
        services = self._options.services + (self._facts.services if self._facts is not None else ())
        return overlap.Ground(overlap.without_pods(overlap.look(nl), own), services)

    def _resync(self, config: NetworkConfig) -> float:
        """iptables tells nobody when rules are changed, so they have to be looked at."""
        every = self._options.resync_seconds
        return every if config.enable_nftables else min(every, self._options.rules_seconds)

    async def _act(self, config: NetworkConfig, me: network.Node, want: Desired) -> list[str]:
        errors: list[str] = []
        for actor in self._actors:
            errors += await actor.apply(config, me, want)
        return errors

    def _recall(self, nl: Netlink, leases: list[Lease]) -> NetworkConfig:
        """Learn from the kernel what an earlier life did; the config with that."""
        left = remains(observe(nl), leases)
        self._transition.found(left)
        return self._reader.recall(left.options)

    async def _ensure_rules(self, config: NetworkConfig, me: network.Node) -> list[str]:
        pods = masquerade.pod_networks(config, me.lease)
        done = await self._rules.ensure(masquerade.Wanted(pods, config.enable_nftables))
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
